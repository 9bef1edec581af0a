//! What `dispatcher!` makes of a struct and its table of handlers.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Ident, Type, Visibility};

use crate::expand::complaints::Complaints;
use crate::expand::emit::{near, shown_at};
use crate::expand::table::{Answering, Dispatcher, Hearing, Listener, Route};

/// The conditions of an application's recorder, if it has one.
type Recording<'a> = Option<Vec<&'a Attribute>>;

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

impl Dispatcher {
    fn expand(&self) -> TokenStream {
        let (application, name) = (&self.application, &self.application.ident);
        let (seam, methods) = (seam(), methods(name, &self.application.vis));
        let fields = self.application.fields.iter().map(|field| self.holds(field));
        let commands = self.commands.iter().map(|entry| entry.expand(name, &quote!(Command), &self.recorder()));
        let cascades = self.commands.iter().map(|entry| entry.follow(name));
        let queries = self.queries.iter().map(|entry| entry.expand(name, &quote!(Query), &self.recorder()));
        let events = self.events.iter().map(|entry| entry.expand(name, &self.recorder()));
        let table = self.table();
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
            #(#cascades)*
            #(#queries)*
            #(#events)*
            #table
        }
    }

    /// The conditions of its recorder, known by the name of its type, if it has one.
    fn recorder(&self) -> Recording<'_> {
        let is_recorder = |of: &Type| {
            let Type::Path(path) = of else { return false };
            path.path.segments.last().is_some_and(|last| last.ident == "Recorder")
        };
        let field = self.application.fields.iter().find(|field| is_recorder(&field.ty))?;
        Some(field.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect())
    }

    /// Its messages for those that are known at run time only, and for jobs.
    fn table(&self) -> TokenStream {
        let (seam, name) = (seam(), &self.application.ident);
        let answered = self.commands.iter().chain(&self.queries).map(|entry| entry.note(name));
        let heard = self.events.iter().map(|entry| entry.note(name));
        quote! {
            impl #seam::Application for #name {
                #[allow(unused_imports, unused_variables, reason = "which of the traits is used depends on the messages")]
                fn note(__entries: &mut #seam::Entries<Self>) {
                    use #seam::noted::{
                        NoteAnswered as _, NoteAnsweredByType as _, NoteHeard as _, NoteHeardByType as _,
                        NoteListener as _, NoteNoListener as _,
                    };
                    #(#answered)*
                    #(#heard)*
                }

                #[allow(unused_imports, reason = "it depends on the fields")]
                fn start(__application: &::std::sync::Arc<Self>, __submitter: &::std::sync::Arc<dyn #seam::Submitter>) {
                    use #seam::noted::{WithDurable as _, WithLocal as _, WithoutDurable as _, WithoutLocal as _};
                    let __own = #seam::noted::Noted::<#name, (), ()>::default();
                    (&__own).start_local(__application);
                    (&__own).connect_durable(__application, __submitter);
                }

                #[allow(unused_imports, reason = "it depends on the fields")]
                fn drain(&self) -> #seam::BoxFuture<'_, ()> {
                    use #seam::noted::{WithLocal as _, WithoutLocal as _};
                    (&#seam::noted::Noted::<#name, (), ()>::default()).drain_local(self)
                }

                fn table() -> &'static #seam::Table<Self> {
                    static TABLE: ::std::sync::OnceLock<#seam::Table<#name>> = ::std::sync::OnceLock::new();
                    TABLE.get_or_init(#seam::Table::collect)
                }
            }
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
    fn expand(&self, application: &Ident, kind: &TokenStream, records: &Recording<'_>) -> TokenStream {
        let (seam, Self { conditions, message, handler, .. }) = (seam(), self);
        let of_kind = quote_spanned!(near(message.span())=> __of_kind::<#message>());
        let (mut call, at_once) = (self.call(application), self.at_once(application, records));
        if let Some(conditions) = records {
            let recorded = recorded(application, conditions, message, &quote!(Sent), &quote!(&self));
            call = quote!(async move { #recorded #call.await });
        }
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
                const JOB: &'static str = <#handler as #seam::MessageHandler>::JOB;

                fn job_options() -> #seam::HandlerOptions {
                    #seam::MessageHandler::job_options(&#handler)
                }

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

    /// Where it goes when a handler returns it.
    fn follow(&self, application: &Ident) -> TokenStream {
        let (seam, Self { conditions, message, handler, .. }) = (seam(), self);
        let sent = match self.route {
            Route::Call => quote!(#seam::HandledBy::handled_by(self, __app).await),
            Route::Spawn => quote_spanned! {near(handler.span())=>
                #seam::Has::<#seam::Local<#application>>::get(__app).spawn(self).await.map_err(#seam::SpawnError::into_error)
            },
            Route::Submit => quote_spanned! {near(handler.span())=>
                #seam::Has::<#seam::Durable<#application>>::get(__app).submit(self).await
            },
        };
        quote! {
            #(#conditions)*
            impl #seam::Follow<#application> for #message {
                fn follow(self, __app: &#application)
                    -> impl ::core::future::Future<Output = #seam::Result<()>> + ::core::marker::Send
                {
                    async move { #sent.map(::core::mem::drop) }
                }
            }
        }
    }

    fn note(&self, application: &Ident) -> TokenStream {
        let (seam, Self { conditions, message, .. }) = (seam(), self);
        quote! {
            #(#conditions)*
            (&#seam::noted::Noted::<#application, #message, ()>::default()).note_answered(__entries);
        }
    }

    /// The handler, within its layers.
    fn call(&self, application: &Ident) -> TokenStream {
        let (seam, Self { message, handler, layers, .. }) = (seam(), self);
        let Some(outermost) = layers.first() else {
            return quote_spanned!(near(handler.span())=> #seam::Call::<#application, #message>::call(&#handler, __app, self));
        };
        let inmost = quote_spanned!(near(handler.span())=> #seam::layer::Inmost<#handler>);
        let all = layers.iter().rev().fold(inmost, |inside, layer| {
            let seam = shown_at(layer.span(), seam.clone());
            quote_spanned!(near(layer.span())=> #seam::layer::Around<#layer, #inside>)
        });
        let seam = shown_at(outermost.span(), seam);
        let run = quote_spanned!(near(outermost.span())=> #seam::layer::Next::<#application, #message>::run);
        quote_spanned!(near(outermost.span())=> #run(<#all as ::core::default::Default>::default(), __app, self))
    }

    /// Layers may wait, so that only what is without them is called at once.
    fn at_once(&self, application: &Ident, records: &Recording<'_>) -> Option<TokenStream> {
        let (seam, Self { conditions, message, handler, layers, .. }) = (seam(), self);
        let show = |conditions: &Vec<_>| recorded(application, conditions, message, &quote!(Sent), &quote!(&self));
        let recorded = records.as_ref().map(show);
        layers.is_empty().then(|| {
            quote! {
                #(#conditions)*
                impl #seam::HandledNowBy<#application> for #message
                where
                    for<'__a> #handler: #seam::CallNow<'__a, #application, #message>,
                {
                    #[inline]
                    fn handled_now_by(self, __app: &#application) -> #seam::Result<<#message as #seam::Answered>::Reply> {
                        #recorded
                        #seam::CallNow::call_now(&#handler, __app, self)
                    }
                }
            }
        })
    }
}

impl Hearing {
    fn note(&self, application: &Ident) -> TokenStream {
        let (seam, Self { conditions, event, handlers }) = (seam(), self);
        let listeners = handlers.iter().map(|Listener { conditions, handler, .. }| {
            quote! {
                #(#conditions)*
                (&#seam::noted::Noted::<#application, #event, #handler>::default()).note_listener(__entries);
            }
        });
        quote! {
            #(#conditions)*
            {
                (&#seam::noted::Noted::<#application, #event, ()>::default()).note_heard(__entries);
                #(#listeners)*
            }
        }
    }

    fn expand(&self, application: &Ident, records: &Recording<'_>) -> TokenStream {
        let (seam, Self { conditions, event, handlers }) = (seam(), self);
        let show = |conditions: &Vec<_>| recorded(application, conditions, event, &quote!(Published), &quote!(self));
        let recorded = records.as_ref().map(show);
        let calls = handlers.iter().map(|Listener { conditions, route, handler }| {
            let seam = shown_at(handler.span(), seam.clone());
            let hear = match route {
                Route::Call => quote!(Hear::<#application, #event>::hear(&#handler, __app, self)),
                Route::Spawn => quote!(local::hear::<#application, #event, #handler>(__app, self)),
                Route::Submit => quote!(durable::hear::<#application, #event, #handler>(__app, self)),
            };
            let hear = quote_spanned!(near(handler.span())=> #seam::#hear);
            quote! {
                #(#conditions)*
                if let ::core::result::Result::Err(__error) = #hear.await {
                    __unheard.add(<#handler as #seam::MessageHandler>::JOB, __error);
                }
            }
        });
        quote! {
            #(#conditions)*
            impl #seam::Follow<#application> for #event {
                fn follow(self, __app: &#application)
                    -> impl ::core::future::Future<Output = #seam::Result<()>> + ::core::marker::Send
                {
                    async move { #seam::HeardBy::heard_by(&self, __app).await.map_err(#seam::Unheard::into_error) }
                }
            }
            #(#conditions)*
            impl #seam::HeardBy<#application> for #event {
                #[inline]
                fn heard_by(&self, __app: &#application)
                    -> impl ::core::future::Future<Output = #seam::Result<(), #seam::Unheard>> + ::core::marker::Send
                {
                    async move {
                        #recorded
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

/// Shows a message to the application's recorder.
fn recorded(
    application: &Ident,
    conditions: &[&Attribute],
    message: &Type,
    how: &TokenStream,
    it: &TokenStream,
) -> TokenStream {
    let seam = seam();
    quote! {
        #(#conditions)*
        {
            #[allow(unused_imports, reason = "it depends on the message")]
            use #seam::noted::{Records as _, RecordsName as _};
            (&#seam::noted::Noted::<#application, #message, ()>::default()).record(__app, #seam::How::#how, #it);
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
