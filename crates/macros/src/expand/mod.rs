//! From tokens to tokens, without the compiler, so that all of it can be tested as plain functions.

mod complaints;
mod dispatcher;
mod emit;
mod handler;
mod message;
mod options;
mod ownership;
mod setting;
mod signature;
mod table;
mod unique;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, ItemFn};

use complaints::Complaints;
use emit::Job;
use handler::MessageHandler;
use options::Options;

pub(crate) use dispatcher::dispatcher;
pub(crate) use message::{Kind, message};

/// What `#[job(arguments)] item` becomes.
pub(crate) fn job(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        let error = Error::new_spanned(&item, "`#[job]` goes on a function with a body: `async fn send_mail(…) { … }`");
        return also(&error, item);
    };
    let mut complaints = Complaints::default();
    let options = Options::read(arguments, &mut complaints);
    let name = complaints.hear(options.name_for(&function.sig.ident)).unwrap_or_default();
    let signature = signature::read(&function.sig, &mut complaints);
    options.check_input(signature.input, &mut complaints);
    let job = Job { function: &function, options: &options, name: &name, signature: &signature };
    match complaints.into_error() {
        None => job.handler(),
        // Inside an `impl` the stand-in, a struct, would be one more mistake.
        Some(error) if function.sig.receiver().is_some() => also(&error, item),
        Some(error) => also(&error, job.stand_in()),
    }
}

/// What `#[handler(arguments)] item` becomes.
pub(crate) fn handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        let advice = "`#[handler]` goes on a function with a body: `async fn create_order(order: CreateOrder) { … }`";
        return also(&Error::new_spanned(&item, advice), item);
    };
    let mut complaints = Complaints::default();
    let options = Options::read(arguments, &mut complaints);
    let name = complaints.hear(options.name_for(&function.sig.ident)).unwrap_or_default();
    let (arguments, signature) = handler::read(&function.sig, &mut complaints);
    let job = Job { function: &function, options: &options, name: &name, signature: &signature };
    match (complaints.into_error(), arguments) {
        (None, Some(arguments)) => MessageHandler { job, arguments }.expand(),
        (Some(error), _) if function.sig.receiver().is_some() => also(&error, item),
        (Some(error), Some(arguments)) => also(&error, MessageHandler { job, arguments }.stand_in()),
        (Some(error), None) => also(&error, job.stand_in()),
        (None, None) => TokenStream::new(),
    }
}

/// The error beside what is wrong, so that its uses are no errors of their own.
fn also(error: &Error, rest: impl ToTokens) -> TokenStream {
    let error = error.to_compile_error();
    quote! { #error #rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(arguments: &str, item: &str) -> String {
        let tokens = |text: &str| text.parse::<TokenStream>().expect("tokens");
        let expanded = job(tokens(arguments), tokens(item));
        syn::parse2::<syn::File>(expanded.clone()).expect("the expansion is made of items");
        expanded.to_string().replace(' ', "")
    }

    #[test]
    fn a_function_becomes_a_struct_of_its_name_with_docs_and_visibility() {
        let code = expand("", "/// Sends it.\n pub(crate) async fn send_mail(mail: Json<Mail>) {}");
        assert_eq!(code.matches("Sendsit.").count(), 1, "{code}");
        assert!(code.contains("pub(crate)structsend_mail;"), "{code}");
        assert!(code.contains("constNAME:&'staticstr=\"SendMail\""), "{code}");
    }

    #[test]
    fn the_input_is_passed_on_and_the_rest_is_extracted() {
        let code = expand("", "async fn f(a: x::Json<A>, b: Context, c: State<C>) -> Result<Json<B>, E> { b }");
        assert!(code.contains("typeInput=x::Json<A>;"), "{code}");
        assert!(code.contains("typeOutput=Json<B>;"), "{code}");
        for extractor in ["Context", "State<C>"] {
            assert!(code.contains(&format!("<{extractor}as::windlass::__job::FromContext>::needs(")), "{code}");
            assert!(code.contains(&format!("<{extractor}as::windlass::__job::FromContext>::from_context(")), "{code}");
        }
    }

    #[test]
    fn without_input_options_or_result_the_defaults_of_the_trait_stand() {
        let code = expand("", "async fn tick() {}");
        assert!(code.contains("typeInput=::windlass::__job::NoInput;"), "{code}");
        assert!(code.contains("typeOutput=();"), "{code}");
        assert!(!code.contains("fnoptions") && !code.contains("fnneeds"), "{code}");
    }

    #[test]
    fn another_root_replaces_the_facade() {
        let code = expand("crate = crate::house", "async fn tick() {}");
        assert!(code.contains("crate::house::__job::Handler") && !code.contains("windlass"), "{code}");
    }

    #[test]
    fn attributes_go_where_they_belong() {
        let code = expand("", "#[cfg(unix)] #[deprecated] #[allow(dead_code)] #[instrument] async fn tick() {}");
        assert_eq!(code.matches("#[cfg(unix)]").count(), 3, "{code}");
        assert_eq!(code.matches("#[deprecated]").count(), 1, "{code}");
        assert_eq!(code.matches("#[allow(dead_code)]").count(), 2, "{code}");
        assert!(code.contains("#[instrument]asyncfntick"), "{code}");
    }

    #[test]
    fn all_mistakes_are_named_at_once_beside_a_stand_in() {
        let code = expand("retires = 3, priority = 10", "fn tick<T>() {}");
        assert_eq!(code.matches("compile_error!").count(), 4, "{code}");
        assert!(code.contains("structtick;") && code.contains("unreachable!"), "{code}");
    }

    #[test]
    fn a_method_gets_no_stand_in_for_a_struct_cannot_stand_in_an_impl() {
        let code = expand("", "async fn tick(&self) {}");
        assert!(code.contains("compile_error!") && !code.contains("struct"), "{code}");
        assert!(code.ends_with("asyncfntick(&self){}"), "{code}");
    }

    #[test]
    fn what_is_no_function_stays_beside_the_complaint() {
        let code = expand("", "struct Mail;");
        assert!(code.contains("compile_error!") && code.ends_with("structMail;"), "{code}");
    }

    fn expand_handler(arguments: &str, item: &str) -> String {
        let tokens = |text: &str| text.parse::<TokenStream>().expect("tokens");
        let expanded = handler(tokens(arguments), tokens(item));
        syn::parse2::<syn::File>(expanded.clone()).expect("the expansion is made of items");
        expanded.to_string().replace(' ', "")
    }

    #[test]
    fn a_handler_of_messages_is_called_and_run_as_a_job() {
        let code =
            expand_handler("retries = 2", "async fn create(order: Create, shop: &Shop) -> Result<Id> { todo!() }");
        for written in [
            "__job::Call<__App,Create>forcreate",
            "::windlass::__job::Has<Shop>",
            "__job::Handlerforcreate",
            "typeInput=::windlass::__job::Json<Create>;",
            "typeOutput=::windlass::__job::Reply<Id>;",
            "__needs.add::<Shop>()",
            "fnoptions",
        ] {
            assert!(code.contains(written), "{written} in {code}");
        }
        assert!(!code.contains("CallNow"), "an async function cannot be called at once: {code}");
    }

    #[test]
    fn a_plain_function_is_called_at_once_too() {
        let code = expand_handler("", "fn price(of: PriceOf) -> u64 { 7 }");
        assert!(code.contains("__job::CallNow<'__a,__App,PriceOf>forprice"), "{code}");
        assert!(!code.contains(".await"), "{code}");
    }

    #[test]
    fn an_event_is_heard_by_reference() {
        let code = expand_handler("name = \"Mail\"", "async fn mail(event: &Created) {}");
        assert!(code.contains("__job::Hear<__App,Created>formail"), "{code}");
        assert!(code.contains("constNAME:&'staticstr=\"Mail\";"), "{code}");
    }

    #[test]
    fn a_handler_with_mistakes_has_a_stand_in() {
        let code = expand_handler("", "async fn f(order: Create, shop: Shop, other: &mut Shop) {}");
        assert_eq!(code.matches("compile_error!").count(), 2, "{code}");
        assert!(code.contains("structf;"), "{code}");
        assert!(expand_handler("", "struct Mail;").contains("compile_error!"));
        assert!(!expand_handler("", "async fn f(&self, order: Create) {}").contains("struct"));
    }
}
