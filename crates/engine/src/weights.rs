//! How the weights of queues are written: as a table, `{ mail = 3, reports = 1 }`, or where there are no tables, as in the
//! environment, as a list of `mail=3`. No queue's name has a `=` in it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use windlass_core::{InvalidInput, QueueName};

type Weights = BTreeMap<QueueName, u32>;

/// Reads either form.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Weights>, D::Error> {
    deserializer.deserialize_any(Written)
}

/// Weights by the queues' names, each of which may be there once.
///
/// # Errors
///
/// When a name is none, or there twice.
pub(crate) fn of(pairs: impl IntoIterator<Item = (String, u32)>) -> Result<Weights, InvalidInput> {
    let mut weights = Weights::new();
    for (queue, weight) in pairs {
        add(&mut weights, QueueName::new(queue)?, weight)?;
    }
    Ok(weights)
}

fn add(weights: &mut Weights, queue: QueueName, weight: u32) -> Result<(), InvalidInput> {
    match weights.entry(queue) {
        Entry::Vacant(place) => {
            place.insert(weight);
            Ok(())
        }
        Entry::Occupied(_) => Err(InvalidInput::new("queue_weights", "names a queue twice; name each once")),
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Option<Weights>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("weights of queues, such as `{ mail = 3, reports = 1 }` or a list of `mail=3`")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut weights = Weights::new();
        while let Some((queue, weight)) = map.next_entry()? {
            add(&mut weights, queue, weight).map_err(A::Error::custom)?;
        }
        Ok(Some(weights))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut weights = Weights::new();
        while let Some(text) = seq.next_element::<String>()? {
            let (queue, weight) = pair(&text).ok_or_else(|| {
                A::Error::custom(format_args!(
                    "{text:?} is no weight of a queue; write `mail=3`, a whole number from 1 on"
                ))
            })?;
            let queue = QueueName::new(queue).map_err(A::Error::custom)?;
            add(&mut weights, queue, weight).map_err(A::Error::custom)?;
        }
        Ok(Some(weights))
    }
}

fn pair(text: &str) -> Option<(&str, u32)> {
    let (queue, weight) = text.split_once('=')?;
    Some((queue.trim(), weight.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Said(#[serde(deserialize_with = "deserialize")] Option<Weights>);

    fn read(text: &str) -> Result<Option<Weights>, String> {
        serde_json::from_str::<Said>(text).map(|said| said.0).map_err(|error| error.to_string())
    }

    #[test]
    fn weights_are_a_table_or_a_list() {
        let wanted = of([("mail:eu".to_owned(), 3), ("reports".to_owned(), 1)]).expect("valid");
        for text in [r#"{"mail:eu": 3, "reports": 1}"#, r#"["mail:eu=3", "reports = 1"]"#] {
            assert_eq!(read(text), Ok(Some(wanted.clone())), "{text}");
        }
        assert_eq!(read("null"), Ok(None));
        assert_eq!(read("{}"), Ok(Some(Weights::new())));
        let said = Said(Some(wanted));
        let written = serde_json::to_string(&said).expect("writes");
        assert_eq!(serde_json::from_str::<Said>(&written).expect("reads"), said);
    }

    #[test]
    fn what_is_no_weight_is_refused_with_the_reason() {
        for (text, why) in [
            ("3", "such as `{ mail = 3"),
            (r#"["mail"]"#, "write `mail=3`"),
            (r#"["mail=-1"]"#, "write `mail=3`"),
            (r#"["mail=many"]"#, "write `mail=3`"),
            (r#"["a b=3"]"#, "queue name"),
            (r#"["mail=3", "mail=1"]"#, "twice"),
            (r#"{"mail": 3, "mail": 1}"#, "twice"),
            (r#"{"mail": -3}"#, "-3"),
        ] {
            let refused = read(text).expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
        assert!(of([("mail".to_owned(), 1), ("mail".to_owned(), 2)]).is_err());
    }
}
