//! Finds what keeps a type from standing on its own: borrowed data and `impl Trait`.

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Lifetime, ParenthesizedGenericArguments, Type, TypeBareFn, TypeImplTrait, TypeReference};

use crate::expand::complaints::Complaints;

/// Where a type stands; the advice depends on it.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Argument,
    /// Behind the reference to a value that the application shares.
    Shared,
    Result,
}

/// Complains when `of` borrows for less than `'static` or is not named in full.
pub(crate) fn check(of: &Type, place: Place, complaints: &mut Complaints) {
    let mut search = Search::default();
    search.visit_type(of);
    if search.borrows {
        complaints.at(of, place.borrowed(of));
    }
    if search.unnamed {
        complaints.at(of, place.unnamed());
    }
}

impl Place {
    fn borrowed(self, of: &Type) -> String {
        match self {
            Self::Argument => {
                let advice = owned_instead(of);
                format!("a job runs after its caller is gone, so its arguments own their data: write {advice}")
            }
            Self::Shared => {
                let advice = "an application owns what its handlers share";
                format!("{advice}: write `&&'static str` for `&&str`, or an owned type behind the reference")
            }
            Self::Result => {
                "a job's result owns its data: write `String`, `Text` or `Json<T>` with an owned `T`".to_owned()
            }
        }
    }

    fn unnamed(self) -> &'static str {
        match self {
            Self::Argument => "`#[job]` needs the argument's type by name: write it out, such as `Json<Order>`",
            Self::Shared => "`#[handler]` needs the type of what it shares by name: write it out, such as `&Shop`",
            Self::Result => "`#[job]` needs the result's type by name: write it out, such as `Result<Json<Receipt>>`",
        }
    }
}

fn owned_instead(borrowed: &Type) -> String {
    match borrowed {
        Type::Reference(TypeReference { elem, .. }) => match &**elem {
            Type::Path(path) if path.path.is_ident("str") => "`Text`, or `Json<String>` for a JSON string".to_owned(),
            owned => format!("`{}` without the `&`", written(owned)),
        },
        _ => "an owned type in it, such as `String` for `&str` or `Arc<T>` for `&T`".to_owned(),
    }
}

/// A type as people write it: tokens as text have a space after each, and most of those go.
pub(crate) fn written(of: &Type) -> String {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut text = String::new();
    for token in of.to_token_stream().to_string().split(' ') {
        let between_words = text.ends_with(is_word) && token.starts_with(is_word);
        if between_words || text.ends_with([',', ';', '+']) || token == "+" {
            text.push(' ');
        }
        text.push_str(token);
    }
    text
}

#[derive(Default)]
struct Search {
    borrows: bool,
    unnamed: bool,
}

impl<'ast> Visit<'ast> for Search {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        self.borrows |= reference.lifetime.is_none();
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        self.borrows |= lifetime.ident != "static";
    }

    fn visit_type_impl_trait(&mut self, _unnamed: &'ast TypeImplTrait) {
        self.unnamed = true;
    }

    // A function's own arguments may borrow: `State<fn(&str) -> bool>` owns all it needs.
    fn visit_type_bare_fn(&mut self, _function: &'ast TypeBareFn) {}

    fn visit_parenthesized_generic_arguments(&mut self, _function: &'ast ParenthesizedGenericArguments) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> Option<String> {
        let mut complaints = Complaints::default();
        check(&syn::parse_str(text).expect("a type"), Place::Argument, &mut complaints);
        complaints.into_error().map(|error| error.to_string())
    }

    #[test]
    fn owned_types_pass() {
        for owned in ["Json<Vec<u8>>", "State<&'static str>", "State<fn(&str) -> bool>", "State<Arc<dyn Fn(&str)>>"] {
            assert_eq!(complaint(owned), None, "{owned}");
        }
    }

    #[test]
    fn borrowed_types_are_found_at_any_depth() {
        for borrowed in ["&str", "Json<&str>", "Json<Cow<'_, str>>", "State<(u8, &'a str)>", "&'static [&str]"] {
            assert!(complaint(borrowed).is_some_and(|text| text.contains("own their data")), "{borrowed}");
        }
    }

    #[test]
    fn the_advice_is_what_to_write_instead() {
        let advice = |text: &str| complaint(text).and_then(|text| Some(text.split_once("write ")?.1.to_owned()));
        assert_eq!(advice("&str").as_deref(), Some("`Text`, or `Json<String>` for a JSON string"));
        assert_eq!(advice("&Context").as_deref(), Some("`Context` without the `&`"));
        assert!(advice("Json<&str>").is_some_and(|text| text.starts_with("an owned type in it")));
    }

    #[test]
    fn types_are_written_as_people_write_them() {
        for text in ["Json<(A, B)>", "Box<dyn std::error::Error + Send>", "&'static str", "a::b::C<'_, [u8; 4]>"] {
            assert_eq!(written(&syn::parse_str(text).expect("a type")), text);
        }
    }

    #[test]
    fn unnamed_types_are_found() {
        assert!(complaint("Json<impl Sized>").is_some_and(|text| text.contains("by name")));
    }
}
