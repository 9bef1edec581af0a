//! One option, `key = value`, and the kinds of values there are.

use std::fmt::Display;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::fmt::temporal::SpanParser;
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, ExprPath, Ident, Lit, Path, Result, Token, parenthesized, token};

/// Longest name, in characters; as in `windlass_core::limits`, which a test compares.
const NAME_LENGTH_MAX: usize = 128;
/// Longest delay or timeout: ten years.
const DELAY_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Every option with an example, in the order in which they are listed to whoever mistypes one.
const EXAMPLES: [(&str, &str); 8] = [
    ("name", "name = \"ProcessData\""),
    ("queue", "queue = \"reports\""),
    ("priority", "priority = 3"),
    ("retries", "retries = 5"),
    ("retry_delay_base", "retry_delay_base = \"2s\""),
    ("retry_delay_cap", "retry_delay_cap = \"1h\""),
    ("timeout", "timeout = \"2m\""),
    ("unique", "unique(input)"),
];
/// The same for what stands in `unique(…)`.
const UNIQUE_EXAMPLES: [(&str, &str); 9] = [
    ("key", "key = \"nightly\""),
    ("fields", "fields = [\"userId\"]"),
    ("input", "input"),
    ("in_queue", "in_queue"),
    ("states", "states = [Queued, Scheduled]"),
    ("within", "within = \"10m\""),
    ("replace", "replace"),
    ("cancel_running", "cancel_running"),
    ("extend", "extend"),
];

/// One option as it was written.
pub(crate) struct Setting {
    key: Ident,
    value: Value,
}

/// What was written behind an option's name.
enum Value {
    Nothing,
    One(Expr),
    /// What stands in parentheses.
    Several(TokenStream),
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("options are written `option = value`, such as `retries = 5`"));
        }
        let key = Ident::parse_any(input)?;
        let value = Value::read(&key, input)?;
        Ok(Self { key, value })
    }
}

impl Value {
    fn read(key: &Ident, input: ParseStream<'_>) -> Result<Self> {
        if input.peek(token::Paren) {
            let several;
            parenthesized!(several in input);
            return Ok(Self::Several(several.parse()?));
        }
        let is_over = || input.is_empty() || input.peek(Token![,]);
        if is_over() {
            return Ok(Self::Nothing);
        }
        if !input.peek(Token![=]) {
            return Err(missing_value(key));
        }
        input.parse::<Token![=]>()?;
        if is_over() { Ok(Self::Nothing) } else { Ok(Self::One(input.parse()?)) }
    }
}

impl Setting {
    /// The option's name.
    pub(crate) fn key(&self) -> String {
        self.key.unraw().to_string()
    }

    /// The option's name as it was written.
    pub(crate) fn word(&self) -> &Ident {
        &self.key
    }

    /// The option is not one of those there are.
    pub(crate) fn unknown(&self) -> Error {
        unknown(&self.key)
    }

    /// It is not one of those that stand in `unique(…)`.
    pub(crate) fn unknown_in_unique(&self) -> Error {
        let known = listed(&UNIQUE_EXAMPLES);
        self.at_key(format!("unknown option `{}` of `unique`: write one of {known}", self.key))
    }

    /// A complaint about the option as a whole.
    pub(crate) fn at_key(&self, message: impl Display) -> Error {
        Error::new_spanned(&self.key, message)
    }

    /// The option was given before.
    pub(crate) fn repeated(&self) -> Error {
        self.at_key(format!("`{}` is given twice; keep one", self.key))
    }

    /// A path, for `crate`.
    pub(crate) fn path(&self) -> Result<Path> {
        match self.value()? {
            Expr::Path(ExprPath { qself: None, path, .. }) => Ok(path.clone()),
            _ => Err(self.bad("`crate` takes a path, such as `crate = ::windlass`")),
        }
    }

    /// A job's or queue's name.
    pub(crate) fn name(&self) -> Result<String> {
        let name = self.text("a string literal")?;
        match is_name(&name) {
            true => Ok(name),
            false => Err(self.bad(format!(
                "{name:?} cannot be a name: write 1 to {NAME_LENGTH_MAX} of the characters A-Z a-z 0-9 . _ : -, such \
                 as `{}`",
                example(&self.key())
            ))),
        }
    }

    /// A whole number from 0 to `max`.
    pub(crate) fn number<N: FromStr<Err = ParseIntError> + PartialOrd + Display>(&self, max: N) -> Result<N> {
        let number = match self.value()? {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse::<N>().ok(),
            _ => None,
        };
        number.filter(|number| *number <= max).ok_or_else(|| self.wrong(format_args!("a whole number from 0 to {max}")))
    }

    /// A duration of ten years at most.
    pub(crate) fn duration(&self) -> Result<Duration> {
        let text = self.text("a duration as a string literal")?;
        let parsed = match text.trim_start_matches(['+', '-']).starts_with(['P', 'p']) {
            true => iso_8601(&text),
            false => humantime::parse_duration(&text).ok(),
        };
        let Some(duration) = parsed else {
            return Err(self.bad(format!(
                "{text:?} is no duration: write numbers with units, such as \"500ms\", \"30s\", \"2m\" or \"1h 30m\", or ISO 8601 \
                 without years and months, such as \"PT1H30M\" or \"P1DT2H\""
            )));
        };
        match duration <= DELAY_MAX {
            true => Ok(duration),
            false => Err(self.bad(format!("`{}` must be ten years at most: write a shorter duration", self.key))),
        }
    }

    /// A duration of more than zero.
    pub(crate) fn duration_above_zero(&self) -> Result<Duration> {
        let duration = self.duration()?;
        match duration.is_zero() {
            true => Err(self.bad(format!("`{}` must be more than zero: leave it out for the default", self.key))),
            false => Ok(duration),
        }
    }

    /// Text of 1 to `max` bytes.
    pub(crate) fn bounded_text(&self, max: usize) -> Result<String> {
        let text = self.text("a string literal")?;
        match (1..=max).contains(&text.len()) {
            true => Ok(text),
            false => Err(self.bad(format!("`{}` must have 1 to {max} bytes", self.key))),
        }
    }

    /// 1 to `max` texts.
    pub(crate) fn texts(&self, max: usize) -> Result<Vec<String>> {
        let texts = self.elements("string literals", max)?;
        texts
            .into_iter()
            .map(|text| literal(text).ok_or_else(|| self.wrong_element(text, "a string literal")))
            .collect()
    }

    /// 1 or more of the words that there are.
    pub(crate) fn words(&self, known: &[&str]) -> Result<Vec<Ident>> {
        let kind = format!("one of {}", known.join(", "));
        let word = |written| word(written).filter(|word| known.iter().any(|known| word == known));
        let words = self.elements("statuses", known.len())?;
        words.into_iter().map(|written| word(written).ok_or_else(|| self.wrong_element(written, &kind))).collect()
    }

    /// Nothing: that it is written says all.
    pub(crate) fn flag(&self) -> Result<()> {
        match self.value {
            Value::Nothing => Ok(()),
            Value::One(_) | Value::Several(_) => {
                Err(self.bad(format!("`{0}` takes no value: write `{0}` alone", self.key)))
            }
        }
    }

    /// Options in parentheses; none where there are no parentheses.
    pub(crate) fn settings(&self) -> Result<Punctuated<Self, Token![,]>> {
        match &self.value {
            Value::Nothing => Ok(Punctuated::new()),
            Value::Several(several) => Punctuated::parse_terminated.parse2(several.clone()),
            Value::One(_) => {
                Err(self.bad(format!("`{0}` takes parentheses: write `{1}`", self.key, example(&self.key()))))
            }
        }
    }

    /// What stands in square brackets.
    fn elements(&self, kind: &str, max: usize) -> Result<Vec<&Expr>> {
        let Expr::Array(array) = self.value()? else {
            return Err(self.wrong(format_args!("{kind} in square brackets")));
        };
        match (1..=max).contains(&array.elems.len()) {
            true => Ok(array.elems.iter().map(bare).collect()),
            false => Err(self.bad(format!("`{}` must be 1 to {max} {kind}", self.key))),
        }
    }

    fn wrong_element(&self, element: &Expr, kind: &str) -> Error {
        let example = example(&self.key());
        Error::new_spanned(element, format!("each of `{}` is {kind}: write `{example}`", self.key))
    }

    fn text(&self, kind: &str) -> Result<String> {
        literal(self.value()?).ok_or_else(|| self.wrong(kind))
    }

    /// The value, which has to be there.
    fn value(&self) -> Result<&Expr> {
        match &self.value {
            Value::One(value) => Ok(bare(value)),
            Value::Nothing | Value::Several(_) => Err(missing_value(&self.key)),
        }
    }

    fn wrong(&self, kind: impl Display) -> Error {
        self.bad(format!("`{}` takes {kind}: write `{}`", self.key, example(&self.key())))
    }

    /// A complaint about the value.
    fn bad(&self, message: impl Display) -> Error {
        match &self.value {
            Value::Nothing => self.at_key(message),
            Value::One(value) => Error::new_spanned(value, message),
            Value::Several(several) => Error::new_spanned(several, message),
        }
    }
}

/// Takes the value of an option that may be given once.
pub(crate) fn put<T>(place: &mut Option<T>, setting: &Setting, read: impl Fn(&Setting) -> Result<T>) -> Result<()> {
    if place.is_some() {
        return Err(setting.repeated());
    }
    *place = Some(read(setting)?);
    Ok(())
}

/// The code of a duration, where `seam` has the type.
pub(crate) fn duration(seam: &TokenStream, value: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (value.as_secs(), value.subsec_nanos());
    quote!(#seam::Duration::new(#seconds, #nanoseconds))
}

/// As in `windlass_core::time`, which a test compares, but for the bound.
fn iso_8601(text: &str) -> Option<Duration> {
    let span = SpanParser::new().parse_span(text).ok()?;
    // Years and months are an error here.
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(span).ok()
}

/// Whether jobs and queues may be called this.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = (1..=NAME_LENGTH_MAX).contains(&text.len());
    fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

/// The expression without the invisible group that a `macro_rules!` variable puts around it.
fn bare(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) => bare(&group.expr),
        other => other,
    }
}

fn literal(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

fn word(value: &Expr) -> Option<Ident> {
    match value {
        Expr::Path(ExprPath { qself: None, path, .. }) => path.get_ident().cloned(),
        _ => None,
    }
}

fn example(key: &str) -> &'static str {
    let mut all = EXAMPLES.iter().chain(&UNIQUE_EXAMPLES);
    all.find(|(known, _)| *known == key).map_or("", |(_, example)| example)
}

fn listed(examples: &[(&str, &str)]) -> String {
    let known: Vec<String> = examples.iter().map(|(key, _)| format!("`{key}`")).collect();
    known.join(", ")
}

fn missing_value(key: &Ident) -> Error {
    match example(&key.unraw().to_string()) {
        "" => unknown(key),
        example => Error::new_spanned(key, format!("`{key}` lacks its value: write `{example}`")),
    }
}

fn unknown(key: &Ident) -> Error {
    Error::new_spanned(key, format!("unknown option `{key}`: write one of {}", listed(&EXAMPLES)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::limits;

    fn setting(text: &str) -> Setting {
        syn::parse_str(text).expect("a setting")
    }

    #[test]
    fn the_limits_are_those_of_core() {
        assert_eq!(NAME_LENGTH_MAX, limits::NAME_LENGTH_MAX);
        assert_eq!(DELAY_MAX, limits::DELAY_MAX);
    }

    #[test]
    fn names_are_those_of_core() {
        for text in ["", "a", "a.b_c:d-9", "a b", "größe", "a/b", &"x".repeat(128), &"x".repeat(129)] {
            assert_eq!(is_name(text), windlass_core::JobName::new(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn durations_have_units_and_bounds() {
        let seconds = |text: &str| setting(text).duration().map(|duration| duration.as_secs()).ok();
        assert_eq!(seconds(r#"timeout = "1h 30m""#), Some(5400));
        assert_eq!(seconds(r#"timeout = "3650d""#), Some(DELAY_MAX.as_secs()));
        assert_eq!(seconds(r#"timeout = "3651d""#), None);
        assert_eq!(seconds(r#"timeout = "2""#), None);
        assert!(setting(r#"timeout = "0s""#).duration_above_zero().is_err());
    }

    #[test]
    fn durations_of_iso_8601_are_those_of_core() {
        let all = [
            "PT5M",
            "P1DT2H",
            "P1W",
            "PT0.25S",
            "PT1,5H",
            "+PT1S",
            "pt1m",
            "P3650D",
            "P3650DT1S",
            "P0Y1D",
            "P1Y",
            "P1M",
            "P1Y1D",
            "-PT1S",
            "P",
            "PT",
            "P5",
            "PT1D",
            "P0.5D",
            "PT5M ",
            "P99999999999999999999D",
        ];
        for text in all {
            let ours = setting(&format!("timeout = {text:?}")).duration();
            assert_eq!(ours.ok(), windlass_core::time::iso_8601(text).ok(), "{text}");
        }
    }

    #[test]
    fn numbers_are_whole_and_bounded() {
        assert_eq!(setting("retries = 1_000").number(1_000_u32).ok(), Some(1_000));
        for wrong in ["retries = 1001", "retries = -1", "retries = 1.5", "retries = \"5\"", "retries = FIVE"] {
            let error = setting(wrong).number(1_000_u32).expect_err(wrong);
            assert_eq!(error.to_string(), "`retries` takes a whole number from 0 to 1000: write `retries = 5`");
        }
    }

    #[test]
    fn every_complaint_about_a_missing_value_shows_one() {
        for (text, write) in [("retries", "write `retries = 5`"), ("queue =", "write `queue = \"reports\"`")] {
            let error = setting(text).text("").expect_err("no value");
            assert!(error.to_string().contains(write), "{error}");
        }
    }
}
