//! What `dispatcher!` makes of a struct and its table of handlers.

use std::collections::{HashMap, HashSet};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Fields, Ident, ItemStruct, Path, Result, Token, Type, Visibility, braced, bracketed};

use crate::expand::complaints::Complaints;
use crate::expand::emit::{near, shown_at};
use crate::expand::ownership::written;

/// The struct and who handles what.
struct Dispatcher {
    application: ItemStruct,
    commands: Vec<Answering>,
    queries: Vec<Answering>,
    events: Vec<Hearing>,
}

/// `CreateOrder => create_order`
struct Answering {
    conditions: Vec<Attribute>,
    message: Type,
    handler: Path,
    /// The types of the layers around it, the outermost first.
    layers: Vec<Type>,
}

/// `OrderCreated => [send_mail, count_order]`
struct Hearing {
    conditions: Vec<Attribute>,
    event: Type,
    handlers: Vec<Listener>,
}

/// One of an event's handlers.
struct Listener {
    conditions: Vec<Attribute>,
    handler: Path,
}

/// What `dispatcher! { input }` becomes.
pub(crate) fn dispatcher(input: TokenStream) -> TokenStream {
    let dispatcher = match syn::parse2::<Dispatcher>(input) {
        Ok(dispatcher) => dispatcher,
        Err(error) => return error.to_compile_error(),
    };
    let mut complaints = Complaints::default();
    dispatcher.check(&mut complaints);
    let error = complaints.into_error().map(|error| error.to_compile_error());
    match error {
        None => dispatcher.expand(),
        Some(error) => {
            let application = &dispatcher.application;
            quote!(#error #application)
        }
    }
}

impl Parse for Dispatcher {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut dispatcher =
            Self { application: input.parse()?, commands: Vec::new(), queries: Vec::new(), events: Vec::new() };
        while !input.is_empty() {
            let section: Ident = input.parse()?;
            let layers = layers(input)?;
            let content;
            braced!(content in input);
            match section.to_string().as_str() {
                "commands" => dispatcher.commands.extend(within(&layers, entries(&content)?)),
                "queries" => dispatcher.queries.extend(within(&layers, entries(&content)?)),
                "events" if layers.is_empty() => dispatcher.events.extend(entries(&content)?),
                "events" => {
                    let advice = "layers go around handlers of commands and queries";
                    return Err(Error::new_spanned(section, advice));
                }
                _ => {
                    let advice = "after the struct there are `commands { … }`, `queries { … }` and `events { … }`";
                    return Err(Error::new_spanned(section, advice));
                }
            }
        }
        Ok(dispatcher)
    }
}

/// The list between a section's name and its braces, if there is one.
fn layers(input: ParseStream<'_>) -> Result<Vec<Type>> {
    if !input.peek(syn::token::Bracket) {
        return Ok(Vec::new());
    }
    let content;
    bracketed!(content in input);
    Ok(entries(&content)?.into_iter().collect())
}

fn within(layers: &[Type], entries: Punctuated<Answering, Token![,]>) -> impl Iterator<Item = Answering> {
    entries.into_iter().map(|entry| Answering { layers: layers.to_vec(), ..entry })
}

fn entries<T: Parse>(content: ParseStream<'_>) -> Result<Punctuated<T, Token![,]>> {
    Punctuated::parse_terminated(content)
}

/// `#[cfg(…)]` in front of an entry.
fn conditions(input: ParseStream<'_>) -> Result<Vec<Attribute>> {
    let conditions = input.call(Attribute::parse_outer)?;
    match conditions.iter().find(|attribute| !attribute.path().is_ident("cfg")) {
        Some(other) => Err(Error::new_spanned(other, "an entry takes no attribute but `#[cfg(…)]`")),
        None => Ok(conditions),
    }
}

impl Parse for Listener {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Ok(Self { conditions: conditions(input)?, handler: input.parse()? })
    }
}

impl Parse for Answering {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let conditions = conditions(input)?;
        let message = input.parse()?;
        arrow(input, "CreateOrder => create_order")?;
        if input.peek(syn::token::Bracket) {
            return Err(input.error("a command or a query has exactly one handler: write it without brackets"));
        }
        Ok(Self { conditions, message, handler: input.parse()?, layers: Vec::new() })
    }
}

impl Parse for Hearing {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let conditions = conditions(input)?;
        let event = input.parse()?;
        arrow(input, "OrderCreated => [send_mail]")?;
        if !input.peek(syn::token::Bracket) {
            return Err(input.error("an event has a list of handlers: write `[send_mail]`"));
        }
        let content;
        bracketed!(content in input);
        Ok(Self { conditions, event, handlers: entries(&content)?.into_iter().collect() })
    }
}

fn arrow(input: ParseStream<'_>, example: &str) -> Result<()> {
    let missing = |error: Error| Error::new(error.span(), format!("write who handles it, such as `{example}`"));
    input.parse::<Token![=>]>().map(drop).map_err(missing)
}

impl Dispatcher {
    fn check(&self, complaints: &mut Complaints) {
        if !self.application.generics.params.is_empty() {
            complaints.at(&self.application.generics.params, "an application in `dispatcher!` cannot be generic");
        }
        if let Fields::Unnamed(fields) = &self.application.fields {
            complaints.at(fields, "write the shared values as fields with names: `{ shop: Shop }`");
        }
        self.check_fields(complaints);
        self.check_messages(complaints);
    }

    fn check_fields(&self, complaints: &mut Complaints) {
        let mut seen = HashMap::new();
        let conditional = |field: &&syn::Field| field.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        for field in self.application.fields.iter().filter(|field| !conditional(field)) {
            let of = written(&field.ty);
            if seen.insert(of.clone(), ()).is_some() {
                let advice = format!(
                    "handlers find shared values by their type, and there is a `{of}` already: wrap one of them in a type of its own"
                );
                complaints.at(&field.ty, advice);
            }
        }
    }

    fn check_messages(&self, complaints: &mut Complaints) {
        let answering = self.commands.iter().chain(&self.queries).filter(|entry| entry.conditions.is_empty());
        let answered = answering.map(|entry| (&entry.message, entry.handler.to_token_stream().to_string()));
        let heard = self
            .events
            .iter()
            .filter(|entry| entry.conditions.is_empty())
            .map(|entry| (&entry.event, "its list".to_owned()));
        self.check_lists(complaints);
        let mut seen: HashMap<String, String> = HashMap::new();
        for (message, handler) in answered.chain(heard) {
            let of = written(message);
            if let Some(first) = seen.get(&of) {
                let advice = format!(
                    "`{of}` has a handler already, `{first}`: a command or a query has exactly one, and an event one list"
                );
                complaints.at(message, advice);
            }
            seen.entry(of).or_insert(handler);
        }
    }

    fn check_lists(&self, complaints: &mut Complaints) {
        for entry in &self.events {
            let mut seen = HashSet::new();
            for listener in entry.handlers.iter().filter(|listener| listener.conditions.is_empty()) {
                if !seen.insert(listener.handler.to_token_stream().to_string()) {
                    complaints.at(&listener.handler, "this handler hears the event already: keep one");
                }
            }
        }
    }

    fn expand(&self) -> TokenStream {
        let (application, name) = (&self.application, &self.application.ident);
        let (seam, methods) = (seam(), methods(name, &self.application.vis));
        let fields = self.application.fields.iter().map(|field| self.holds(field));
        let commands = self.commands.iter().map(|entry| entry.expand(name, &quote!(Command)));
        let queries = self.queries.iter().map(|entry| entry.expand(name, &quote!(Query)));
        let events = self.events.iter().map(|entry| entry.expand(name));
        quote! {
            #application
            #methods
            impl #seam::Has<Self> for #name {
                #[inline]
                fn get(&self) -> &Self {
                    self
                }
            }
            #(#fields)*
            #(#commands)*
            #(#queries)*
            #(#events)*
        }
    }

    fn holds(&self, field: &syn::Field) -> TokenStream {
        let (seam, name, of, value) = (seam(), &self.application.ident, &field.ty, &field.ident);
        let conditions = field.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        quote! {
            #(#conditions)*
            impl #seam::Has<#of> for #name {
                #[inline]
                fn get(&self) -> &#of {
                    &self.#value
                }
            }
        }
    }
}

impl Answering {
    fn expand(&self, application: &Ident, kind: &TokenStream) -> TokenStream {
        let (seam, Self { conditions, message, .. }) = (seam(), self);
        let of_kind = quote_spanned!(near(message.span())=> __of_kind::<#message>());
        let (call, at_once) = (self.call(application), self.at_once(application));
        quote! {
            #(#conditions)*
            const _: () = {
                fn __of_kind<__M: #seam::message::#kind>() {}
                fn __check() {
                    #of_kind
                }
            };
            #(#conditions)*
            impl #seam::HandledBy<#application> for #message {
                #[inline]
                fn handled_by(self, __app: &#application)
                    -> impl ::core::future::Future<Output = #seam::Result<<#message as #seam::Answered>::Reply>> + ::core::marker::Send
                {
                    #call
                }
            }
            #at_once
        }
    }

    /// The handler, within its layers.
    fn call(&self, application: &Ident) -> TokenStream {
        let (seam, Self { message, handler, layers, .. }) = (seam(), self);
        let Some(outermost) = layers.first() else {
            return quote_spanned!(near(handler.span())=> #seam::Call::<#application, #message>::call(&#handler, __app, self));
        };
        let inmost = quote_spanned!(near(handler.span())=> #seam::layer::Inmost(&#handler));
        let all = layers.iter().rev().fold(inmost, |inside, layer| {
            let seam = shown_at(layer.span(), seam.clone());
            quote_spanned!(near(layer.span())=> #seam::layer::Around(#seam::Has::<#layer>::get(__app), #inside))
        });
        let seam = shown_at(outermost.span(), seam);
        let run = quote_spanned!(near(outermost.span())=> #seam::layer::Next::<#application, #message>::run);
        quote_spanned!(near(outermost.span())=> #run(#all, __app, self))
    }

    /// Layers may wait, so that only what is without them is called at once.
    fn at_once(&self, application: &Ident) -> Option<TokenStream> {
        let (seam, Self { conditions, message, handler, layers }) = (seam(), self);
        layers.is_empty().then(|| {
            quote! {
                #(#conditions)*
                impl #seam::HandledNowBy<#application> for #message
                where
                    for<'__a> #handler: #seam::CallNow<'__a, #application, #message>,
                {
                    #[inline]
                    fn handled_now_by(self, __app: &#application) -> #seam::Result<<#message as #seam::Answered>::Reply> {
                        #seam::CallNow::call_now(&#handler, __app, self)
                    }
                }
            }
        })
    }
}

impl Hearing {
    fn expand(&self, application: &Ident) -> TokenStream {
        let (seam, Self { conditions, event, handlers }) = (seam(), self);
        let calls = handlers.iter().map(|Listener { conditions, handler }| {
            let hear = quote_spanned!(near(handler.span())=> #seam::Hear::<#application, #event>::hear(&#handler, __app, self));
            quote! {
                #(#conditions)*
                if let ::core::result::Result::Err(__error) = #hear.await {
                    __unheard.add(<#handler as #seam::Hear<#application, #event>>::NAME, __error);
                }
            }
        });
        quote! {
            #(#conditions)*
            impl #seam::HeardBy<#application> for #event {
                #[inline]
                fn heard_by(&self, __app: &#application)
                    -> impl ::core::future::Future<Output = #seam::Result<(), #seam::Unheard>> + ::core::marker::Send
                {
                    async move {
                        #[allow(unused_mut, reason = "nobody may hear it")]
                        let mut __unheard = #seam::Unheard::default();
                        #(#calls)*
                        __unheard.into_result()
                    }
                }
            }
        }
    }
}

/// What sends messages to the handlers of `application`.
fn methods(application: &Ident, visibility: &Visibility) -> TokenStream {
    let seam = seam();
    let eventually = quote!(impl ::core::future::Future<Output = #seam::Result<M::Reply>> + ::core::marker::Send);
    quote! {
        #[allow(dead_code, reason = "not every application has commands, queries and events")]
        impl #application {
            /// Sends a command to its handler. Costs what a call costs.
            #[inline]
            #visibility fn send<M: #seam::message::Command + #seam::HandledBy<Self>>(&self, command: M) -> #eventually {
                #seam::HandledBy::handled_by(command, self)
            }

            /// Asks a query of its handler.
            #[inline]
            #visibility fn query<M: #seam::message::Query + #seam::HandledBy<Self>>(&self, query: M) -> #eventually {
                #seam::HandledBy::handled_by(query, self)
            }

            /// Calls the handler of a command or a query, which is a plain function.
            #[inline]
            #visibility fn call_now<M: #seam::HandledNowBy<Self>>(&self, message: M) -> #seam::Result<M::Reply> {
                #seam::HandledNowBy::handled_now_by(message, self)
            }

            /// Tells all handlers of an event, one after the other, in the order of the dispatcher. Each is called although
            /// others fail.
            #[inline]
            #visibility fn publish<E: #seam::HeardBy<Self>>(
                &self,
                event: E,
            ) -> impl ::core::future::Future<Output = #seam::Result<(), #seam::Unheard>> + ::core::marker::Send {
                async move { #seam::HeardBy::heard_by(&event, self).await }
            }
        }
    }
}

fn seam() -> TokenStream {
    quote!(::windlass::__job)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(input: TokenStream) -> String {
        dispatcher(input).to_string().replace(' ', "")
    }

    #[test]
    fn an_application_holds_its_fields_and_its_messages_know_who_handles_them() {
        let code = expand(quote! {
            pub(crate) struct App { shop: Shop }
            commands { Create => orders::create }
            events { Created => [mail, count] }
        });
        for written in [
            "pub(crate)structApp{shop:Shop}",
            "__job::Has<Shop>forApp",
            "__job::HandledBy<App>forCreate",
            "__job::HandledNowBy<App>forCreate",
            "__job::HeardBy<App>forCreated",
            "pub(crate)fnsend<",
        ] {
            assert!(code.contains(written), "{written} in {code}");
        }
    }

    #[test]
    fn mistakes_are_named_beside_the_struct() {
        let twice = quote! {
            struct App { a: u8, b: u8 }
            commands { Create => one }
            queries { Create => two }
        };
        let code = expand(twice);
        assert_eq!(code.matches("compile_error!").count(), 2, "{code}");
        assert!(code.contains("structApp{a:u8,b:u8}") && !code.contains("impl"), "{code}");
        for wrong in [
            quote!(
                struct App(u8);
            ),
            quote!(
                struct App<T> {
                    a: T,
                }
            ),
            quote!(struct App;, command {}),
        ] {
            assert!(expand(wrong.clone()).contains("compile_error!"), "{wrong}");
        }
    }
}
