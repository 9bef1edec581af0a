//! The server's answers taken apart.

use redis::Value;

use crate::fault::{Checked, Fault};

/// A list.
pub(crate) fn list(value: Value) -> Checked<Vec<Value>> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(unexpected()),
    }
}

/// A list of so many.
pub(crate) fn exactly<const N: usize>(value: Value) -> Checked<[Value; N]> {
    list(value)?.try_into().map_err(|_| unexpected())
}

/// Lists of `N` that were sent as one.
pub(crate) fn groups<const N: usize>(value: Value) -> Checked<Vec<[Value; N]>> {
    let mut values = list(value)?.into_iter();
    let mut groups = Vec::with_capacity(values.len() / N);
    while values.len() > 0 {
        let group: Vec<Value> = values.by_ref().take(N).collect();
        groups.push(group.try_into().map_err(|_| unexpected())?);
    }
    Ok(groups)
}

/// Bytes, when there are any.
pub(crate) fn some_bytes(value: Value) -> Checked<Option<Vec<u8>>> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil => Ok(None),
        _ => Err(unexpected()),
    }
}

/// Bytes that must be there.
pub(crate) fn bytes(value: Value) -> Checked<Vec<u8>> {
    some_bytes(value)?.ok_or_else(|| Fault::corrupt("half of a job is missing"))
}

/// Bytes that must be there, and may have come in two parts.
pub(crate) fn one_or_two(value: Value) -> Checked<Vec<u8>> {
    match value {
        Value::Array(parts) => Ok(parts.into_iter().map(bytes).collect::<Checked<Vec<_>>>()?.concat()),
        one => bytes(one),
    }
}

/// A whole number.
pub(crate) fn number(value: &Value) -> Checked<i64> {
    let number = match value {
        Value::Int(number) => Some(*number),
        Value::BulkString(digits) => std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()),
        _ => None,
    };
    number.ok_or_else(unexpected)
}

fn unexpected() -> Fault {
    Fault::corrupt("a script gave an answer that it never gives")
}
