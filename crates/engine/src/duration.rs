//! How durations are written in settings: for people, `1h 30m`, or as ISO 8601, `PT1H30M`.

use std::borrow::Cow;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
pub(crate) use jiff::fmt::serde::unsigned_duration::friendly::compact::required::serialize;
use serde::de::{Deserialize, Deserializer, Error};
use windlass_core::time::{is_iso_8601, iso_8601};

/// Reads either form.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = Cow::<'_, str>::deserialize(deserializer)?;
    match is_iso_8601(&text) {
        true => iso_8601(&text).map_err(|error| D::Error::custom(format_args!("{text:?}: {error}"))),
        false => SpanParser::new().parse_unsigned_duration(&*text).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Duration, String> {
        deserialize(serde_json::Value::from(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn both_forms_are_read() {
        for (text, seconds) in
            [("90s", 90), ("1h 30m", 5_400), ("PT1H30M", 5_400), ("P1DT2H", 93_600), ("P1W", 604_800)]
        {
            assert_eq!(read(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(read("PT0.5S"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_neither_is_refused_with_the_reason() {
        for (text, why) in
            [("P1M", "write days"), ("PT", "such as PT5M"), ("-PT1S", "negative"), ("soon", "unit value")]
        {
            let refused = read(text).expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
        assert!(deserialize(serde_json::Value::from(90)).is_err(), "a number has no unit");
    }
}
