//! What `#[handler]` makes of a function: something to be called in process, and a job.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, GenericArgument, PathArguments, Signature as FnSignature, Type, TypeReference};

use crate::expand::complaints::Complaints;
use crate::expand::emit::{Job, near, shown_at};
use crate::expand::ownership::{self, Place, written};
use crate::expand::signature::{Output, Signature, check_generics, check_safety, output};

/// A handler's arguments, sorted by the part they play.
pub(crate) struct Arguments<'a> {
    pub(crate) message: Message<'a>,
    /// What comes after it, by reference.
    pub(crate) given: Vec<Given<'a>>,
}

/// What a handler is given beside its message.
#[derive(Clone, Copy)]
pub(crate) enum Given<'a> {
    /// A value of the application, by its type.
    Shared(&'a Type),
    /// The message's own context.
    Context,
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
        false => Some(Arguments { message: message(types.remove(0), complaints), given: given(&types, complaints) }),
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

fn given<'a>(types: &[&'a Type], complaints: &mut Complaints) -> Vec<Given<'a>> {
    let mut given = Vec::with_capacity(types.len());
    for of in types {
        match of {
            Type::Reference(TypeReference { mutability: None, elem, .. }) if is_context(elem) => {
                given.push(Given::Context);
            }
            Type::Reference(TypeReference { mutability: None, elem, .. }) => {
                match instead_of_unsized(elem) {
                    Some(sized) => complaints.at(of, format!("handlers share whole values: write `&{sized}`")),
                    None => ownership::check(elem, Place::Shared, complaints),
                }
                given.push(Given::Shared(elem));
            }
            other => complaints.at(
                other,
                format!("after its message a handler takes shared values, by reference: write `&{}`", bare(other)),
            ),
        }
    }
    given
}

/// It is known by its name, through any path.
fn is_context(of: &Type) -> bool {
    matches!(of, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "MessageContext"))
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
        let (item, written, around, seam) = (self.job.item(), self.job.written(), self.job.around(), self.job.seam());
        let (name, options) = (self.job.name, self.job.options_method("job_options"));
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
            #around
            impl #seam::MessageHandler for #handler {
                const IT: &'static Self = &#handler;
                const JOB: &'static str = #name;

                #options
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
            impl #seam::MessageHandler for #handler {
                const IT: &'static Self = &#handler;
                const JOB: &'static str = "";
            }
            #around
            #in_process
        }
    }

    fn call(&self, message: &Type) -> TokenStream {
        let (seam, around, holds, shared) = (self.job.seam(), self.job.around(), self.holds(), self.shared_values());
        let handler = &self.job.function.sig.ident;
        let work = match self.is_only_mapped() {
            true => {
                let (future, reply) =
                    (self.start(quote!(__message)), self.reply(message, self.succeeded(quote!(__output))));
                quote! {
                    #seam::Mapped::new(#future, |__output| -> #seam::Result<<#message as #seam::Answered>::Reply> { #reply })
                }
            }
            false => {
                let reply = self.reply(message, self.run(quote!(__message)));
                self.in_context(message, quote!(async move { #reply }))
            }
        };
        let follows = self.follows();
        let header = quote_spanned! {near(handler.span())=>
            fn call(&self, __app: &__App, __message: #message)
                -> impl ::core::future::Future<Output = #seam::Result<<#message as #seam::Answered>::Reply>> + ::core::marker::Send
        };
        let now = self.call_now(message);
        quote! {
            #around
            impl<__App: ?::core::marker::Sized #(+ #holds)*> #seam::Call<__App, #message> for #handler #follows {
                #[inline]
                #header {
                    #(#shared)*
                    #work
                }
            }
            #now
        }
    }

    /// A plain function can be called without a future.
    fn call_now(&self, message: &Type) -> Option<TokenStream> {
        if self.job.function.sig.asyncness.is_some() || !self.cascade().following.is_empty() {
            return None;
        }
        let (seam, around, holds, shared) = (self.job.seam(), self.job.around(), self.holds(), self.shared_values());
        let handler = &self.job.function.sig.ident;
        let reply = self.reply(message, self.run(quote!(__message)));
        let work = match self.asks_for_context() {
            true => quote! {
                let __context = #seam::MessageContext::arrived::<#message>();
                __context.clone().sync_scope(move || #reply)
            },
            false => reply,
        };
        Some(quote! {
            #around
            impl<'__a, __App: ?::core::marker::Sized #(+ #holds)*> #seam::CallNow<'__a, __App, #message> for #handler {
                #[inline]
                fn call_now(&self, __app: &'__a __App, __message: #message)
                    -> #seam::Result<<#message as #seam::Answered>::Reply>
                {
                    #(#shared)*
                    #work
                }
            }
        })
    }

    fn hear(&self, event: &Type) -> TokenStream {
        let (seam, around, holds, shared) = (self.job.seam(), self.job.around(), self.holds(), self.shared_values());
        let handler = &self.job.function.sig.ident;
        let heard = |run: TokenStream| quote!({ #run; ::core::result::Result::Ok(()) });
        let work = match self.is_only_mapped() {
            true => {
                let (future, heard) = (self.start(quote!(__event)), heard(self.succeeded(quote!(__output))));
                quote!(#seam::Mapped::new(#future, |__output| -> #seam::Result<()> #heard))
            }
            false => {
                let heard = heard(self.run(quote!(__event)));
                self.in_context(event, quote!(async move #heard))
            }
        };
        let header = quote_spanned! {near(handler.span())=>
            fn hear(&self, __app: &__App, __event: &#event)
                -> impl ::core::future::Future<Output = #seam::Result<()>> + ::core::marker::Send
        };
        quote! {
            #around
            impl<__App: ?::core::marker::Sized #(+ #holds)*> #seam::Hear<__App, #event> for #handler {
                #[inline]
                #header {
                    #(#shared)*
                    #work
                }
            }
        }
    }

    fn answering_job(&self, message: &Type) -> TokenStream {
        let (seam, run) = (self.job.seam(), self.run(quote!(__message)));
        let answer = self.answer();
        let body = match self.cascade().following.is_empty() {
            true => quote!(::core::result::Result::Ok(#seam::Reply(#run))),
            // It is refused before it can run: its job is that of its application.
            false => quote!(::core::unreachable!()),
        };
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
        let (seam, around, options) = (self.job.seam(), self.job.around(), self.job.options_method("options"));
        let (handler, name) = (&self.job.function.sig.ident, self.job.name);
        let (types, names) = self.shared();
        let application = (!self.cascade().following.is_empty()).then(|| quote!(__needs.add_application();));
        let body = match self.asks_for_context() {
            true => quote! {
                let __context = #seam::MessageContext::of_job(&__cx);
                __context.clone().scope(async move { #body }).await
            },
            false => body.clone(),
        };
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
                    #(__needs.add::<#types>();)*
                    #application
                }
                async fn run(&self, #seam::Json(__message): Self::Input, __cx: #seam::Context) -> #seam::Result<Self::Output> {
                    #(let #names = __cx.states().borrow::<#types>()?;)*
                    #body
                }
            }
        }
    }

    /// The function's success.
    fn run(&self, message: TokenStream) -> TokenStream {
        let start = self.start(message);
        let awaited = self.job.function.sig.asyncness.map(|_| quote!(.await));
        self.succeeded(quote!(#start #awaited))
    }

    /// The call of the function.
    fn start(&self, message: TokenStream) -> TokenStream {
        let (handler, given) = (&self.job.function.sig.ident, self.given());
        quote!(Self::#handler(#message #(, #given)*))
    }

    /// What it returned, without its error.
    fn succeeded(&self, output: TokenStream) -> TokenStream {
        let failing = matches!(self.job.signature.output, Output::Fallible { .. }).then(|| quote!(?));
        quote!(#output #failing)
    }

    /// Whether its future needs nothing around it but another output.
    fn is_only_mapped(&self) -> bool {
        let is_async = self.job.function.sig.asyncness.is_some();
        is_async && !self.asks_for_context() && self.cascade().following.is_empty()
    }

    /// The success as the message's reply, after what follows from it; where it is another type, the complaint stands at the
    /// type that was written.
    fn reply(&self, message: &Type, run: TokenStream) -> TokenStream {
        let seam = self.job.seam();
        let cascade = self.cascade();
        let place = match &cascade.reply {
            None => self.job.function.sig.ident.span(),
            Some(of) => of.span(),
        };
        let near_seam = shown_at(place, seam.clone());
        let checked = |reply: TokenStream| {
            quote_spanned! {near(place)=>
                #near_seam::IsReply::<<#message as #near_seam::Answered>::Reply>::reply({ #reply })
            }
        };
        if cascade.following.is_empty() {
            let checked = checked(run);
            return quote!(::core::result::Result::Ok(#checked));
        }
        let names: Vec<_> = (0..cascade.following.len()).map(|at| quote::format_ident!("__follows_{at}")).collect();
        let pattern = names.iter().fold(quote!(__reply), |pattern, name| quote!(#seam::Then(#pattern, #name)));
        let checked = checked(quote!(__reply));
        quote! {
            let #pattern = { #run };
            #(#seam::Follow::<__App>::follow(#names, __app).await?;)*
            ::core::result::Result::Ok(#checked)
        }
    }

    /// What the function returns when it succeeds, taken apart.
    fn cascade(&self) -> Cascade<'_> {
        let mut cascade = Cascade { reply: None, following: Vec::new() };
        let (Output::Plain(of) | Output::Fallible { success: of, .. }) = self.job.signature.output else {
            return cascade;
        };
        let mut reply = of;
        while let Some((inner, follows)) = then(reply) {
            cascade.following.insert(0, follows);
            reply = inner;
        }
        cascade.reply = Some(reply);
        cascade
    }

    fn answer(&self) -> TokenStream {
        self.cascade().reply.map_or_else(|| quote!(()), |of| quote!(#of))
    }

    /// What its application has to be.
    fn holds(&self) -> impl Iterator<Item = TokenStream> {
        let (seam, following) = (self.job.seam(), self.cascade().following);
        let holds = self.shared().0.into_iter().map(|of| quote!(#seam::Has<#of>));
        let shares = (!following.is_empty()).then(|| quote!(::core::marker::Sync));
        holds.chain(shares).collect::<Vec<_>>().into_iter()
    }

    /// What follows from its replies has to be a message of its application.
    fn follows(&self) -> TokenStream {
        let (seam, following) = (self.job.seam(), self.cascade().following);
        quote!(where #(#following: #seam::Follow<__App>,)*)
    }

    /// Takes what is shared from the application.
    fn shared_values(&self) -> impl Iterator<Item = TokenStream> {
        let (seam, (types, names)) = (self.job.seam(), self.shared());
        types.into_iter().zip(names).map(move |(of, name)| quote!(let #name = #seam::Has::<#of>::get(__app);))
    }

    /// The future of `work`, whose messages follow from this one where the handler asks for its context.
    fn in_context(&self, message: &Type, work: TokenStream) -> TokenStream {
        if !self.asks_for_context() {
            return work;
        }
        let seam = self.job.seam();
        let asked = match self.arguments.message {
            Message::Answered(_) => quote!(arrived),
            Message::Heard(_) => quote!(heard),
        };
        quote! {
            async move {
                let __context = #seam::MessageContext::#asked::<#message>();
                __context.clone().scope(#work).await
            }
        }
    }

    fn asks_for_context(&self) -> bool {
        self.arguments.given.iter().any(|given| matches!(given, Given::Context))
    }

    /// The types of what is shared, and the names of the values.
    fn shared(&self) -> (Vec<&Type>, Vec<syn::Ident>) {
        let numbered = self.arguments.given.iter().enumerate();
        let shared = numbered.filter_map(|(place, given)| match given {
            Given::Shared(of) => Some((*of, value(place))),
            Given::Context => None,
        });
        shared.unzip()
    }

    /// What follows the message in the call.
    fn given(&self) -> impl Iterator<Item = TokenStream> {
        self.arguments.given.iter().enumerate().map(|(place, given)| match given {
            Given::Shared(_) => value(place).to_token_stream(),
            Given::Context => quote!(&__context),
        })
    }
}

/// A reply, none for `()`, and the types of what follows from it, in their order.
struct Cascade<'a> {
    reply: Option<&'a Type>,
    following: Vec<&'a Type>,
}

/// `Then<Reply, Message>`, known by its name as `Result` is.
fn then(of: &Type) -> Option<(&Type, &Type)> {
    let Type::Path(path) = of else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Then")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.iter().collect::<Vec<_>>()[..] {
        [GenericArgument::Type(reply), GenericArgument::Type(follows)] => Some((reply, follows)),
        _ => None,
    }
}

fn value(place: usize) -> syn::Ident {
    quote::format_ident!("__shared_{place}")
}
