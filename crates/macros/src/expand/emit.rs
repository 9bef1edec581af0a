//! The code that a job expands to.

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Attribute, ItemFn, Type};

use crate::expand::options::Options;
use crate::expand::setting::duration;
use crate::expand::signature::{Output, Signature};

/// The attributes that say something about the handler rather than about the function's body.
const DESCRIBES: [&str; 3] = ["doc", "cfg", "deprecated"];

/// All that is known of a job.
pub(crate) struct Job<'a> {
    pub(crate) function: &'a ItemFn,
    pub(crate) options: &'a Options,
    pub(crate) name: &'a str,
    pub(crate) signature: &'a Signature<'a>,
}

impl Job<'_> {
    /// The struct, the function as it was written, and the handler that calls it.
    pub(crate) fn handler(&self) -> TokenStream {
        self.with(self.written(), self.members())
    }

    /// The same with a handler that does nothing, for a function with mistakes: its uses, and what it uses, should
    /// not be reported as mistakes too.
    pub(crate) fn stand_in(&self) -> TokenStream {
        let (seam, written) = (self.seam(), self.written());
        let uncalled = quote! { #[allow(dead_code, reason = "the stand-in does not call it")] #written };
        let members = quote! {
            type Input = #seam::NoInput;
            type Output = ();
            const NAME: &'static str = "";
            async fn run(&self, _: Self::Input, _: #seam::Context) -> #seam::Result<Self::Output> {
                ::core::unreachable!()
            }
        };
        self.with(uncalled, members)
    }

    fn with(&self, written: TokenStream, members: TokenStream) -> TokenStream {
        let (item, around, seam) = (self.item(), self.around(), self.seam());
        let job = &self.function.sig.ident;
        quote! {
            #item
            #around
            impl #job {
                #written
            }
            #around
            impl #seam::Handler for #job {
                #members
            }
        }
    }

    /// The function becomes an associated one, so that its name stays in backtraces and spans while the same name
    /// in its body means the handler, as it does everywhere else.
    pub(crate) fn written(&self) -> TokenStream {
        let attributes = self.attributes(|attribute| !DESCRIBES.iter().any(|word| attribute.path().is_ident(word)));
        let (signature, body) = (&self.function.sig, &self.function.block);
        quote! {
            #(#attributes)*
            #signature #body
        }
    }

    pub(crate) fn item(&self) -> TokenStream {
        let describing =
            self.attributes(|attribute| DESCRIBES.iter().chain(&["allow"]).any(|word| attribute.path().is_ident(word)));
        let (visibility, job) = (&self.function.vis, &self.function.sig.ident);
        quote! {
            #(#describing)*
            #[allow(non_camel_case_types, reason = "a job goes by the name of its function")]
            #[derive(Clone, Copy, Debug)]
            #visibility struct #job;
        }
    }

    fn members(&self) -> TokenStream {
        let (name, seam) = (self.name, self.seam());
        let input = match self.signature.input {
            None => quote!(type Input = #seam::NoInput;),
            Some(input) => named("Input", input),
        };
        let output = match self.signature.output {
            Output::Unit => quote! { type Output = (); },
            Output::Plain(output) | Output::Fallible { success: output, .. } => named("Output", output),
        };
        let (options, needs, run) = (self.options_method("options"), self.needs_method(), self.run_method());
        quote! {
            #input
            #output
            const NAME: &'static str = #name;
            #options
            #needs
            #run
        }
    }

    /// `name` is that of the method.
    pub(crate) fn options_method(&self, name: &str) -> TokenStream {
        if self.options.are_defaults() {
            return TokenStream::new();
        }
        let Options { root: _, name: _, queue, priority, retries, retry_delay_base, retry_delay_cap, timeout, unique } =
            self.options;
        let (seam, method) = (self.seam(), format_ident!("{name}"));
        let (queue, retries) = (optional(queue.as_ref()), optional(retries.as_ref()));
        // The level was checked, so the default never comes in; it spares the expansion an `expect`.
        let priority = match priority {
            Some(level) => quote!(#seam::Priority::new(#level).unwrap_or_default()),
            None => quote!(::core::default::Default::default()),
        };
        let duration = |value: &Option<Duration>| optional(value.map(|value| duration(&seam, value)));
        let (base, cap, timeout) = (duration(retry_delay_base), duration(retry_delay_cap), duration(timeout));
        let unique = optional(unique.as_ref().map(|unique| unique.expand(&seam)));
        quote! {
            fn #method(&self) -> #seam::HandlerOptions {
                #seam::HandlerOptions {
                    queue: #queue,
                    priority: #priority,
                    retries: #retries,
                    retry_delay_base: #base,
                    retry_delay_cap: #cap,
                    timeout: #timeout,
                    unique: #unique,
                }
            }
        }
    }

    fn needs_method(&self) -> TokenStream {
        let (seam, extracted) = (self.seam(), &self.signature.extracted);
        if extracted.is_empty() {
            return TokenStream::new();
        }
        quote! {
            fn needs(&self, __needs: &mut #seam::Needs) {
                #(<#extracted as #seam::FromContext>::needs(__needs);)*
            }
        }
    }

    fn run_method(&self) -> TokenStream {
        let (seam, job) = (self.seam(), &self.function.sig.ident);
        let input = self.signature.input.map(|_| quote!(__input,));
        let extracted = &self.signature.extracted;
        let conclusion = self.conclusion();
        // A future that is not `Send` is reported at this header, which should show the function's name.
        let near_seam = shown_at(job.span(), seam.clone());
        let header = quote_spanned! {near(job.span())=>
            async fn run(&self, __input: Self::Input, __cx: #near_seam::Context) -> #near_seam::Result<Self::Output>
        };
        quote! {
            #header {
                let __running = Self::#job(#input #(<#extracted as #seam::FromContext>::from_context(&__cx)?,)*);
                #conclusion
            }
        }
    }

    fn conclusion(&self) -> TokenStream {
        match self.signature.output {
            Output::Unit | Output::Plain(_) => quote!(::core::result::Result::Ok(__running.await)),
            Output::Fallible { error, .. } => {
                // An error that does not convert is reported at the question mark, which should show its type.
                let question_mark = quote_spanned!(edges(error).0=> ?);
                quote! {
                    let __output = __running.await #question_mark;
                    ::core::result::Result::Ok(__output)
                }
            }
        }
    }

    /// Where the expansion finds what it uses.
    pub(crate) fn seam(&self) -> TokenStream {
        let root = self.options.root();
        quote!(#root::__job)
    }

    /// The attributes that the `impl` blocks share with the struct.
    pub(crate) fn around(&self) -> TokenStream {
        let conditions = self.attributes(|attribute| attribute.path().is_ident("cfg"));
        let deprecated = self.attributes(|attribute| attribute.path().is_ident("deprecated"));
        let quiet = (!deprecated.is_empty()).then(|| quote!(#[allow(deprecated)]));
        quote!(#(#conditions)* #quiet)
    }

    fn attributes(&self, keep: impl Fn(&Attribute) -> bool) -> Vec<&Attribute> {
        self.function.attrs.iter().filter(|attribute| keep(attribute)).collect()
    }
}

fn optional(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// An associated type whose mistakes are reported at the type that was written.
fn named(name: &str, written: &Type) -> TokenStream {
    let name = format_ident!("{name}");
    let (start, end) = edges(written);
    let (front, back) = (quote_spanned!(start=> type #name =), quote_spanned!(end=> ;));
    quote!(#front #written #back)
}

/// The expansion's own span, shown at the first and at the last token of `written`.
fn edges(written: &impl ToTokens) -> (Span, Span) {
    let mut spans = written.to_token_stream().into_iter().map(|token| near(token.span()));
    let start = spans.next().unwrap_or_else(Span::call_site);
    (start, spans.last().unwrap_or(start))
}

/// The same tokens, shown at `place` with all errors about them.
pub(crate) fn shown_at(place: Span, tokens: TokenStream) -> TokenStream {
    let moved = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        token
    };
    tokens.into_iter().map(moved).collect()
}

/// The expansion's own span, shown at `place`.
pub(crate) fn near(place: Span) -> Span {
    Span::call_site().located_at(place)
}
