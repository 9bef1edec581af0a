//! What `#[handler]` makes of a function: something to be called in process, and a job.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, Signature as FnSignature, Type, TypeReference};

use crate::expand::complaints::Complaints;
use crate::expand::emit::{Job, near, shown_at};
use crate::expand::ownership::{self, Place, written};
use crate::expand::signature::{Output, Signature, check_generics, check_safety, output};

/// A handler's arguments, sorted by the part they play.
pub(crate) struct Arguments<'a> {
    pub(crate) message: Message<'a>,
    /// The types that are taken by reference from the application.
    pub(crate) shared: Vec<&'a Type>,
}

/// The message, which comes first.
#[derive(Clone, Copy)]
pub(crate) enum Message<'a> {
    /// A command or a query, by value.
    Answered(&'a Type),
    /// An event, by reference.
    Heard(&'a Type),
}

/// Sorts the function's types and complains about all that a handler of messages cannot be.
pub(crate) fn read<'a>(
    function: &'a FnSignature,
    complaints: &mut Complaints,
) -> (Option<Arguments<'a>>, Signature<'a>) {
    check_safety(function, complaints);
    check_generics(function, complaints);
    let output = output(&function.output, complaints);
    let mut types = function.inputs.iter().filter_map(|argument| typed(argument, complaints)).collect::<Vec<_>>();
    let arguments = match types.is_empty() {
        true => None,
        false => Some(Arguments { message: message(types.remove(0), complaints), shared: shared(&types, complaints) }),
    };
    if arguments.is_none() && function.receiver().is_none() {
        let advice = "a handler takes its message first: `order: CreateOrder` for a command or a query, `event: &OrderCreated` for an event";
        complaints.at(&function.ident, advice);
    }
    if let Some(Arguments { message: Message::Heard(_), .. }) = arguments {
        check_silence(output, complaints);
    }
    (arguments, Signature { input: None, extracted: Vec::new(), output })
}

fn typed<'a>(argument: &'a FnArg, complaints: &mut Complaints) -> Option<&'a Type> {
    match argument {
        FnArg::Typed(argument) => Some(&argument.ty),
        FnArg::Receiver(receiver) => {
            complaints.at(
                receiver,
                "a handler is a free function: move it out of the `impl`, and take shared values by reference, as \
                 `shop: &Shop`",
            );
            None
        }
    }
}

fn message<'a>(first: &'a Type, complaints: &mut Complaints) -> Message<'a> {
    match first {
        Type::Reference(TypeReference { mutability: None, elem, .. }) => {
            ownership::check(elem, Place::Argument, complaints);
            Message::Heard(elem)
        }
        Type::Group(group) => message(&group.elem, complaints),
        owned => {
            ownership::check(owned, Place::Argument, complaints);
            Message::Answered(owned)
        }
    }
}

fn shared<'a>(types: &[&'a Type], complaints: &mut Complaints) -> Vec<&'a Type> {
    let mut shared = Vec::with_capacity(types.len());
    for of in types {
        match of {
            Type::Reference(TypeReference { mutability: None, elem, .. }) => {
                match instead_of_unsized(elem) {
                    Some(sized) => complaints.at(of, format!("handlers share whole values: write `&{sized}`")),
                    None => ownership::check(elem, Place::Shared, complaints),
                }
                shared.push(&**elem);
            }
            other => complaints.at(
                other,
                format!("after its message a handler takes shared values, by reference: write `&{}`", bare(other)),
            ),
        }
    }
    shared
}

/// What can be a field in place of what only a reference can point to.
fn instead_of_unsized(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) if path.path.is_ident("str") => Some("String".to_owned()),
        Type::Slice(slice) => Some(format!("Vec<{}>", written(&slice.elem))),
        Type::TraitObject(object) => Some(format!("Box<{}>", written(&Type::TraitObject(object.clone())))),
        _ => None,
    }
}

fn bare(of: &Type) -> String {
    match of {
        Type::Reference(reference) => written(&reference.elem),
        other => written(other),
    }
}

/// Whoever publishes an event waits for no answer.
fn check_silence(output: Output<'_>, complaints: &mut Complaints) {
    let answer = match output {
        Output::Unit => return,
        Output::Plain(of) | Output::Fallible { success: of, .. } => of,
    };
    if !matches!(answer, Type::Tuple(tuple) if tuple.elems.is_empty()) {
        let advice = "nobody waits for an answer to an event: return nothing or `Result<()>`, or take the message by value if it is a command";
        complaints.at(answer, advice);
    }
}

/// All that is known of a handler of messages.
pub(crate) struct MessageHandler<'a> {
    /// The function, its options and its name as a job.
    pub(crate) job: Job<'a>,
    pub(crate) arguments: Arguments<'a>,
}

impl MessageHandler<'_> {
    /// The struct, the function as it was written, and the traits that call it.
    pub(crate) fn expand(&self) -> TokenStream {
        let (item, written, around) = (self.job.item(), self.job.written(), self.job.around());
        let handler = &self.job.function.sig.ident;
        let (in_process, as_job) = match self.arguments.message {
            Message::Answered(message) => (self.call(message), self.answering_job(message)),
            Message::Heard(event) => (self.hear(event), self.hearing_job(event)),
        };
        quote! {
            #item
            #around
            #[allow(
                clippy::borrowed_box, clippy::needless_pass_by_value, clippy::ptr_arg, clippy::too_many_arguments,
                clippy::trivially_copy_pass_by_ref,
                reason = "a message's handler takes it by value, and what it shares by reference to its very type"
            )]
            impl #handler {
                #written
            }
            #in_process
            #as_job
        }
    }

    /// The same with a handler that does nothing, for a function with mistakes: a dispatcher that lists it should not be reported as
    /// a mistake too.
    pub(crate) fn stand_in(&self) -> TokenStream {
        let (seam, around, job) = (self.job.seam(), self.job.around(), self.job.stand_in());
        let (handler, eventually) = (&self.job.function.sig.ident, quote!(impl ::core::future::Future));
        let in_process = match self.arguments.message {
            Message::Answered(message) => quote! {
                impl<__App: ?::core::marker::Sized> #seam::Call<__App, #message> for #handler {
                    fn call(&self, _: &__App, _: #message)
                        -> #eventually<Output = #seam::Result<<#message as #seam::Answered>::Reply>> + ::core::marker::Send
                    {
                        async move { ::core::unreachable!() }
                    }
                }
            },
            Message::Heard(event) => quote! {
                impl<__App: ?::core::marker::Sized> #seam::Hear<__App, #event> for #handler {
                    const NAME: &'static str = "";
                    fn hear(&self, _: &__App, _: &#event)
                        -> #eventually<Output = #seam::Result<()>> + ::core::marker::Send
                    {
                        async move { ::core::unreachable!() }
                    }
                }
            },
        };
        quote! {
            #job
            #around
            #in_process
        }
    }

    fn call(&self, message: &Type) -> TokenStream {
        let (seam, around, holds, shared) = (self.job.seam(), self.job.around(), self.holds(), self.shared_values());
        let handler = &self.job.function.sig.ident;
        let (names, run) = (self.names(), self.run(quote!(__message)));
        let reply = self.reply(message, run);
        let header = quote_spanned! {near(handler.span())=>
            fn call(&self, __app: &__App, __message: #message)
                -> impl ::core::future::Future<Output = #seam::Result<<#message as #seam::Answered>::Reply>> + ::core::marker::Send
        };
        let now = self.call_now(message);
        quote! {
            #around
            impl<__App: ?::core::marker::Sized #(+ #holds)*> #seam::Call<__App, #message> for #handler {
                #[inline]
                #header {
                    #(let #names = #shared;)*
                    async move { #reply }
                }
            }
            #now
        }
    }

    /// A plain function can be called without a future.
    fn call_now(&self, message: &Type) -> Option<TokenStream> {
        if self.job.function.sig.asyncness.is_some() {
            return None;
        }
        let (seam, around, holds, shared) = (self.job.seam(), self.job.around(), self.holds(), self.shared_values());
        let handler = &self.job.function.sig.ident;
        let (names, run) = (self.names(), self.run(quote!(__message)));
        let reply = self.reply(message, run);
        Some(quote! {
            #around
            impl<'__a, __App: ?::core::marker::Sized #(+ #holds)*> #seam::CallNow<'__a, __App, #message> for #handler {
                #[inline]
                fn call_now(&self, __app: &'__a __App, __message: #message)
                    -> #seam::Result<<#message as #seam::Answered>::Reply>
                {
                    #(let #names = #shared;)*
                    #reply
                }
            }
        })
    }

    fn hear(&self, event: &Type) -> TokenStream {
        let (seam, around, holds, shared) = (self.job.seam(), self.job.around(), self.holds(), self.shared_values());
        let (handler, name) = (&self.job.function.sig.ident, self.job.name);
        let (names, run) = (self.names(), self.run(quote!(__event)));
        let header = quote_spanned! {near(handler.span())=>
            fn hear(&self, __app: &__App, __event: &#event)
                -> impl ::core::future::Future<Output = #seam::Result<()>> + ::core::marker::Send
        };
        quote! {
            #around
            impl<__App: ?::core::marker::Sized #(+ #holds)*> #seam::Hear<__App, #event> for #handler {
                const NAME: &'static str = #name;

                #[inline]
                #header {
                    #(let #names = #shared;)*
                    async move {
                        #run;
                        ::core::result::Result::Ok(())
                    }
                }
            }
        }
    }

    fn answering_job(&self, message: &Type) -> TokenStream {
        let (seam, run) = (self.job.seam(), self.run(quote!(__message)));
        let answer = self.answer();
        let body = quote!(::core::result::Result::Ok(#seam::Reply(#run)));
        let serializable = quote!(for<'__a> &'__a #answer: #seam::Serialize);
        self.job_impl(message, &quote!(#seam::Reply<#answer>), &serializable, &body)
    }

    fn hearing_job(&self, event: &Type) -> TokenStream {
        let run = self.run(quote!(&__message));
        let body = quote! {
            #run;
            ::core::result::Result::Ok(())
        };
        self.job_impl(event, &quote!(()), &TokenStream::new(), &body)
    }

    /// The same function as a job. What is no data is asked only of those that are used as jobs: a bound with a lifetime of
    /// its own is not checked where it stands.
    fn job_impl(&self, message: &Type, output: &TokenStream, bound: &TokenStream, body: &TokenStream) -> TokenStream {
        let (seam, around, options) = (self.job.seam(), self.job.around(), self.job.options_method());
        let (handler, name, names) = (&self.job.function.sig.ident, self.job.name, self.names());
        let shared = &self.arguments.shared;
        quote! {
            #around
            impl #seam::Handler for #handler
            where
                for<'__de> #message: #seam::Deserialize<'__de>,
                #bound
            {
                type Input = #seam::Json<#message>;
                type Output = #output;
                const NAME: &'static str = #name;
                #options
                fn needs(&self, __needs: &mut #seam::Needs) {
                    #(__needs.add::<#shared>();)*
                }
                async fn run(&self, #seam::Json(__message): Self::Input, __cx: #seam::Context) -> #seam::Result<Self::Output> {
                    #(let #names = __cx.states().borrow::<#shared>()?;)*
                    #body
                }
            }
        }
    }

    /// The function's success.
    fn run(&self, message: TokenStream) -> TokenStream {
        let (handler, names) = (&self.job.function.sig.ident, self.names());
        let awaited = self.job.function.sig.asyncness.map(|_| quote!(.await));
        let failing = matches!(self.job.signature.output, Output::Fallible { .. }).then(|| quote!(?));
        quote!(Self::#handler(#message #(, #names)*) #awaited #failing)
    }

    /// The success as the message's reply; where it is another type, the complaint stands at the type that was written.
    fn reply(&self, message: &Type, run: TokenStream) -> TokenStream {
        let seam = self.job.seam();
        let place = match self.job.signature.output {
            Output::Unit => self.job.function.sig.ident.span(),
            Output::Plain(of) | Output::Fallible { success: of, .. } => of.span(),
        };
        let near_seam = shown_at(place, seam);
        let checked = quote_spanned! {near(place)=>
            #near_seam::IsReply::<<#message as #near_seam::Answered>::Reply>::reply({ #run })
        };
        quote!(::core::result::Result::Ok(#checked))
    }

    fn answer(&self) -> TokenStream {
        match self.job.signature.output {
            Output::Unit => quote!(()),
            Output::Plain(of) | Output::Fallible { success: of, .. } => quote!(#of),
        }
    }

    fn holds(&self) -> impl Iterator<Item = TokenStream> {
        let seam = self.job.seam();
        self.arguments.shared.iter().map(move |of| quote!(#seam::Has<#of>))
    }

    fn shared_values(&self) -> impl Iterator<Item = TokenStream> {
        let seam = self.job.seam();
        self.arguments.shared.iter().map(move |of| quote!(#seam::Has::<#of>::get(__app)))
    }

    fn names(&self) -> Vec<syn::Ident> {
        (0..self.arguments.shared.len()).map(|place| quote::format_ident!("__shared_{place}")).collect()
    }
}
