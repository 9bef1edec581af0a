//! What stands in the parentheses of `unique(…)`.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Ident, Result};

use crate::expand::complaints::Complaints;
use crate::expand::setting::{Setting, duration, put};

/// Longest key, in bytes; as in `windlass_core::limits`, which a test compares.
const KEY_BYTES_MAX: usize = 256;
/// Most fields; as there.
const FIELDS_MAX: usize = 16;
/// The statuses of a job; as in `windlass_core::Status`, which a test compares.
const STATUSES: [&str; 6] = ["Queued", "Scheduled", "InProgress", "Completed", "Failed", "Canceled"];

/// By what a job is unique, while what holds, and what becomes of the second; checked.
pub(crate) struct Unique {
    by: By,
    parts: Parts,
}

enum By {
    Key(String),
    /// The fields, and the word before them.
    Fields(Vec<String>, Ident),
    Input,
}

/// All but by what it is.
#[derive(Default)]
struct Parts {
    in_queue: Option<()>,
    states: Option<Vec<Ident>>,
    within: Option<Duration>,
    replace: Option<()>,
    cancel_running: Option<()>,
    extend: Option<()>,
}

impl Unique {
    /// Reads and checks all of it.
    pub(crate) fn read(setting: &Setting) -> Result<Self> {
        let (mut by, mut parts, mut complaints) = (None, Parts::default(), Complaints::default());
        let settings = setting.settings()?;
        for part in &settings {
            complaints.hear(parts.set(part, &mut by));
        }
        if let Some(error) = complaints.into_error() {
            return Err(error);
        }
        if let Some(extend) = settings.iter().find(|part| part.key() == "extend" && parts.within.is_none()) {
            return Err(extend.at_key("`extend` needs a period that begins anew: write `within = \"10m\", extend`"));
        }
        let by = by.ok_or_else(|| lacks_by(setting))?;
        Ok(Self { by, parts })
    }

    /// The word before the fields by which it is unique, if it is by fields.
    pub(crate) fn fields(&self) -> Option<&Ident> {
        match &self.by {
            By::Fields(_, word) => Some(word),
            By::Key(_) | By::Input => None,
        }
    }

    /// The value that says the same.
    pub(crate) fn expand(&self, seam: &TokenStream) -> TokenStream {
        let by = match &self.by {
            By::Key(key) => quote!(key(#key)),
            By::Fields(fields, _) => quote!(fields([#(#fields),*])),
            By::Input => quote!(input()),
        };
        let Parts { in_queue, states, within, replace, cancel_running, extend } = &self.parts;
        let in_queue = in_queue.map(|()| quote!(.in_queue()));
        let states = states.as_ref().map(|states| quote!(.states([#(#seam::Status::#states),*])));
        let within = within.map(|period| duration(seam, period)).map(|period| quote!(.within(#period)));
        let replace = replace.map(|()| quote!(.replace()));
        let cancel_running = cancel_running.map(|()| quote!(.cancel_running()));
        let extend = extend.map(|()| quote!(.extend()));
        quote!(#seam::Unique::#by #in_queue #states #within #replace #cancel_running #extend)
    }
}

impl Parts {
    fn set(&mut self, part: &Setting, by: &mut Option<By>) -> Result<()> {
        match part.key().as_str() {
            "key" | "fields" | "input" if by.is_some() => {
                Err(part.at_key("a job is unique by one of `key`, `fields` and `input`; keep one"))
            }
            "key" => put(by, part, |part| part.bounded_text(KEY_BYTES_MAX).map(By::Key)),
            "fields" => put(by, part, |part| Ok(By::Fields(part.texts(FIELDS_MAX)?, part.word().clone()))),
            "input" => put(by, part, |part| part.flag().map(|()| By::Input)),
            "in_queue" => put(&mut self.in_queue, part, Setting::flag),
            "states" => put(&mut self.states, part, |part| part.words(&STATUSES)),
            "within" => put(&mut self.within, part, Setting::duration_above_zero),
            "replace" => put(&mut self.replace, part, Setting::flag),
            "cancel_running" => put(&mut self.cancel_running, part, Setting::flag),
            "extend" => put(&mut self.extend, part, Setting::flag),
            _ => Err(part.unknown_in_unique()),
        }
    }
}

fn lacks_by(setting: &Setting) -> Error {
    setting.at_key(
        "`unique` lacks by what jobs are the same: write `unique(key = \"nightly\")`, `unique(fields = [\"userId\"])` or \
         `unique(input)`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::{Status, limits};

    fn read(text: &str) -> Result<Unique> {
        Unique::read(&syn::parse_str(text).expect("a setting"))
    }

    fn expanded(text: &str) -> String {
        read(text).expect(text).expand(&quote!(seam)).to_string().replace(' ', "")
    }

    #[test]
    fn the_limits_and_statuses_are_those_of_core() {
        assert_eq!((KEY_BYTES_MAX, FIELDS_MAX), (limits::UNIQUE_KEY_BYTES_MAX, limits::UNIQUE_FIELDS_MAX));
        assert_eq!(STATUSES.to_vec(), Status::ALL.map(|status| format!("{status:?}")).to_vec());
    }

    #[test]
    fn all_parts_are_read() {
        assert_eq!(expanded(r#"unique(key = "nightly")"#), r#"seam::Unique::key("nightly")"#);
        assert_eq!(
            expanded(
                r#"unique(fields = ["a", "/b/c"], in_queue, states = [Queued, Failed], within = "PT1M", replace, extend,)"#
            ),
            "seam::Unique::fields([\"a\",\"/b/c\"]).in_queue().states([seam::Status::Queued,seam::Status::Failed])\
             .within(seam::Duration::new(60u64,0u32)).replace().extend()"
        );
        assert_eq!(expanded("unique(input, cancel_running)"), "seam::Unique::input().cancel_running()");
    }

    #[test]
    fn limits_are_kept() {
        let key = |length: usize| read(&format!("unique(key = {:?})", "x".repeat(length))).is_ok();
        assert_eq!([0, 1, KEY_BYTES_MAX, KEY_BYTES_MAX + 1].map(key), [false, true, true, false]);
        let fields = |count: usize| read(&format!("unique(fields = {:?})", vec!["x"; count])).is_ok();
        assert_eq!([0, 1, FIELDS_MAX, FIELDS_MAX + 1].map(fields), [false, true, true, false]);
    }
}
