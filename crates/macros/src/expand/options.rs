//! What stands in the parentheses of `#[job(…)]`.

use std::time::Duration;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Path, Result, Token, Type, parse_quote};

use crate::expand::complaints::Complaints;
use crate::expand::setting::{Setting, is_name, put};
use crate::expand::signature::is_json;
use crate::expand::unique::Unique;

/// Most retries; as in `windlass_core::limits`, which a test compares.
const RETRIES_MAX: u32 = 1_000;
/// The last priority.
const PRIORITY_MAX: u8 = 9;

/// The options that were given, checked.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) root: Option<Path>,
    pub(crate) name: Option<String>,
    pub(crate) queue: Option<String>,
    pub(crate) priority: Option<u8>,
    pub(crate) retries: Option<u32>,
    pub(crate) retry_delay_base: Option<Duration>,
    pub(crate) retry_delay_cap: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) unique: Option<Unique>,
}

impl Options {
    /// Reads and checks all options; a wrong one counts as not given.
    pub(crate) fn read(arguments: TokenStream, complaints: &mut Complaints) -> Self {
        let mut options = Self::default();
        let settings = Punctuated::<Setting, Token![,]>::parse_terminated.parse2(arguments);
        for setting in complaints.hear(settings).unwrap_or_default() {
            complaints.hear(options.set(&setting));
        }
        options
    }

    /// The path under which the expansion finds `__job`.
    pub(crate) fn root(&self) -> Path {
        self.root.clone().unwrap_or_else(|| parse_quote!(::windlass))
    }

    /// The job's name: the option, or the function's name in `UpperCamelCase`.
    pub(crate) fn name_for(&self, function: &Ident) -> Result<String> {
        let name = self.name.clone().unwrap_or_else(|| upper_camel_case(&function.unraw().to_string()));
        match is_name(&name) {
            true => Ok(name),
            false => Err(Error::new_spanned(
                function,
                format!("{name:?} cannot be a job's name: give it one with `#[job(name = \"ProcessData\")]`"),
            )),
        }
    }

    /// Whether the handler's jobs are like those of any other.
    pub(crate) fn are_defaults(&self) -> bool {
        let Self { root: _, name: _, queue, priority, retries, retry_delay_base, retry_delay_cap, timeout, unique } =
            self;
        let times = [retry_delay_base, retry_delay_cap, timeout];
        let untimed = times.iter().all(|time| time.is_none());
        untimed && queue.is_none() && priority.is_none() && retries.is_none() && unique.is_none()
    }

    /// Refuses fields of an input that has none.
    pub(crate) fn check_input(&self, input: Option<&Type>, complaints: &mut Complaints) {
        let fields = self.unique.as_ref().and_then(Unique::fields);
        if let Some(fields) = fields.filter(|_| !input.is_some_and(is_json)) {
            complaints
                .at(fields, "`fields` are those of `Json<T>` input: write `key` or `input` for a job with another one");
        }
    }

    fn set(&mut self, setting: &Setting) -> Result<()> {
        match setting.key().as_str() {
            "crate" => put(&mut self.root, setting, Setting::path),
            "name" => put(&mut self.name, setting, Setting::name),
            "queue" => put(&mut self.queue, setting, Setting::name),
            "priority" => put(&mut self.priority, setting, |setting| setting.number(PRIORITY_MAX)),
            "retries" => put(&mut self.retries, setting, |setting| setting.number(RETRIES_MAX)),
            "retry_delay_base" => put(&mut self.retry_delay_base, setting, Setting::duration),
            "retry_delay_cap" => put(&mut self.retry_delay_cap, setting, Setting::duration),
            "timeout" => put(&mut self.timeout, setting, Setting::duration_above_zero),
            "unique" => put(&mut self.unique, setting, Unique::read),
            _ => Err(setting.unknown()),
        }
    }
}

fn upper_camel_case(snake_case: &str) -> String {
    let capital = |word: &str| {
        let mut characters = word.chars();
        characters.next().into_iter().flat_map(char::to_uppercase).chain(characters).collect::<String>()
    };
    snake_case.split('_').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::{ToTokens, format_ident, quote};

    fn read(arguments: TokenStream) -> (Options, Option<String>) {
        let mut complaints = Complaints::default();
        let options = Options::read(arguments, &mut complaints);
        let all = |error: Error| error.into_iter().map(|error| error.to_string()).collect::<Vec<_>>().join("\n");
        (options, complaints.into_error().map(all))
    }

    #[test]
    fn the_limits_are_those_of_core() {
        assert_eq!(RETRIES_MAX, windlass_core::limits::RETRIES_MAX);
        assert_eq!(usize::from(PRIORITY_MAX) + 1, windlass_core::Priority::LEVELS);
    }

    #[test]
    fn all_options_are_read() {
        let (options, complaints) = read(quote! {
            name = "A", queue = "b", priority = 0, retries = 0, retry_delay_base = "0s", retry_delay_cap = "1h",
            timeout = "2m", unique(input), crate = ::house,
        });
        assert_eq!(complaints, None);
        assert_eq!((options.name.as_deref(), options.queue.as_deref()), (Some("A"), Some("b")));
        assert_eq!((options.priority, options.retries), (Some(0), Some(0)));
        assert_eq!(options.retry_delay_base, Some(Duration::ZERO));
        assert_eq!(options.retry_delay_cap, Some(Duration::from_secs(3600)));
        assert_eq!(options.timeout, Some(Duration::from_secs(120)));
        assert!(options.unique.is_some());
        assert_eq!(options.root().to_token_stream().to_string(), ":: house");
    }

    #[test]
    fn every_wrong_option_is_named() {
        let (_, complaints) = read(quote!(retires = 3, retries = 3, retries = 4, queue = "two words"));
        let complaints = complaints.expect("three mistakes");
        let lines: Vec<&str> = complaints.lines().collect();
        assert_eq!(lines.len(), 3, "{complaints}");
        assert!(lines[0].starts_with("unknown option `retires`"), "{complaints}");
        assert_eq!(lines[1], "`retries` is given twice; keep one");
        assert!(lines[2].contains("\"two words\" cannot be a name"), "{complaints}");
    }

    #[test]
    fn the_functions_name_is_the_jobs_name_in_upper_camel_case() {
        let name = |ident: Ident| Options::default().name_for(&ident).ok();
        assert_eq!(name(format_ident!("process_data")).as_deref(), Some("ProcessData"));
        assert_eq!(name(format_ident!("_parse_v2_html")).as_deref(), Some("ParseV2Html"));
        assert_eq!(name(format_ident!("r#type")).as_deref(), Some("Type"));
        assert_eq!(name(format_ident!("größe")), None);
        assert_eq!(name(format_ident!("__")), None);
    }
}
