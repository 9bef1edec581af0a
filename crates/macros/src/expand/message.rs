//! What `#[derive(Command)]`, `#[derive(Query)]` and `#[derive(Event)]` write.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::{DeriveInput, Error, LitInt, LitStr, Path, Result, Type, parse_quote};

use crate::expand::complaints::Complaints;
use crate::expand::setting::is_name;

/// The kinds of messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Command,
    Query,
    Event,
}

/// What stands in `#[message(…)]`.
struct Options {
    root: Path,
    name: String,
    version: u16,
    reply: Option<Type>,
}

/// The traits of a message.
pub(crate) fn message(kind: Kind, item: TokenStream) -> TokenStream {
    let item = match syn::parse2::<DeriveInput>(item) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error(),
    };
    let mut complaints = Complaints::default();
    if !item.generics.params.is_empty() {
        let advice = "a message is known by its name alone, so it cannot be generic: write one type for each";
        complaints.at(&item.generics.params, advice);
    }
    let mut options =
        Options { root: parse_quote!(::windlass), name: item.ident.unraw().to_string(), version: 1, reply: None };
    for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("message")) {
        complaints.hear(attribute.parse_nested_meta(|meta| options.set(kind, &meta)));
    }
    match complaints.into_error() {
        None => options.expand(kind, &item),
        Some(error) => error.to_compile_error(),
    }
}

impl Options {
    fn set(&mut self, kind: Kind, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let is = |word: &str| meta.path.is_ident(word);
        if is("name") {
            self.name = name(meta)?;
        } else if is("version") {
            self.version = version(meta)?;
        } else if is("reply") && kind == Kind::Event {
            return Err(meta.error("an event has no reply: any number of handlers hear it"));
        } else if is("reply") {
            self.reply = Some(meta.value()?.parse()?);
        } else if is("crate") {
            self.root = meta.value()?.call(Path::parse_mod_style)?;
        } else {
            return Err(meta.error(
                "unknown option: there are `name = \"CreateOrder\"`, `version = 2` and, for commands and queries, \
                 `reply = OrderId`",
            ));
        }
        Ok(())
    }

    fn expand(&self, kind: Kind, item: &DeriveInput) -> TokenStream {
        let Self { root, name, version, reply } = self;
        let (seam, message) = (quote!(#root::__job), &item.ident);
        let own = match kind {
            Kind::Event => quote!(#[allow(deprecated)] impl #seam::Event for #message {}),
            Kind::Command | Kind::Query => {
                let word = format_ident!("{}", if kind == Kind::Command { "Command" } else { "Query" });
                let reply = reply.clone().unwrap_or_else(|| parse_quote!(()));
                quote! {
                    #[allow(deprecated)]
                    impl #seam::Answered for #message {
                        type Reply = #reply;
                    }
                    #[allow(deprecated)]
                    impl #seam::message::#word for #message {}
                }
            }
        };
        quote! {
            #[allow(deprecated)]
            impl #seam::Message for #message {
                const NAME: &'static str = #name;
                const VERSION: u16 = #version;
            }
            #own
        }
    }
}

fn name(meta: &ParseNestedMeta<'_>) -> Result<String> {
    let written: LitStr = meta.value()?.parse()?;
    match is_name(&written.value()) {
        true => Ok(written.value()),
        false => Err(Error::new_spanned(
            &written,
            format!("{:?} cannot be a name: write 1 to 128 of the characters A-Z a-z 0-9 . _ : -", written.value()),
        )),
    }
}

fn version(meta: &ParseNestedMeta<'_>) -> Result<u16> {
    let written: LitInt = meta.value()?.parse()?;
    let version = written.base10_parse::<u16>().ok().filter(|version| *version > 0);
    version.ok_or_else(|| Error::new_spanned(&written, "a version is a whole number from 1 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    fn expand(kind: Kind, item: TokenStream) -> String {
        message(kind, item).to_string().replace(' ', "")
    }

    #[test]
    fn a_message_has_its_types_name_the_first_version_and_no_reply_unless_told() {
        let code = expand(
            Kind::Command,
            quote!(
                struct CreateOrder;
            ),
        );
        assert!(code.contains("constNAME:&'staticstr=\"CreateOrder\";"), "{code}");
        assert!(code.contains("constVERSION:u16=1u16;"), "{code}");
        assert!(code.contains("typeReply=();") && code.contains("message::CommandforCreateOrder"), "{code}");
        let told = quote! {
            #[message(name = "orders.create", version = 3, crate = crate::house)]
            #[message(reply = Vec<Id>)]
            enum CreateOrder { A }
        };
        let code = expand(Kind::Query, told);
        assert!(code.contains("\"orders.create\"") && code.contains("3u16"), "{code}");
        assert!(code.contains("typeReply=Vec<Id>;") && code.contains("crate::house::__job::message::Query"), "{code}");
    }

    #[test]
    fn all_mistakes_are_named() {
        let wrong = [
            quote!(
                #[message(name = "two words")]
                struct A;
            ),
            quote!(
                #[message(version = 0)]
                struct A;
            ),
            quote!(
                #[message(version = 70000)]
                struct A;
            ),
            quote!(
                #[message(versoin = 1)]
                struct A;
            ),
            quote!(
                #[message(reply = u8)]
                struct A;
            ),
            quote!(
                struct A<T>(T);
            ),
        ];
        for item in wrong {
            let code = expand(Kind::Event, item.clone());
            assert!(code.contains("compile_error!") && !code.contains("impl"), "{item}: {code}");
        }
    }
}
