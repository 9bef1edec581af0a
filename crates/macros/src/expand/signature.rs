//! What a function takes and returns, as a handler sees it.

use syn::{
    FnArg, GenericArgument, Path, PathArguments, PathSegment, ReturnType, Signature as FnSignature, Type, TypePath,
};

use crate::expand::complaints::Complaints;
use crate::expand::ownership::{self, Place, written};

/// The types that are inputs, by the last word of their path.
const INPUTS: [&str; 4] = ["Json", "Text", "Binary", "NoInput"];

/// The function's types, sorted by the part they play.
pub(crate) struct Signature<'a> {
    /// The first argument, when it is an input.
    pub(crate) input: Option<&'a Type>,
    /// The arguments that are read from the context, in order.
    pub(crate) extracted: Vec<&'a Type>,
    /// What it returns.
    pub(crate) output: Output<'a>,
}

/// What the function returns.
#[derive(Clone, Copy)]
pub(crate) enum Output<'a> {
    /// Nothing is written.
    Unit,
    /// A value of this type.
    Plain(&'a Type),
    /// A `Result` with these types.
    Fallible {
        /// What it returns when it succeeds.
        success: &'a Type,
        /// What it returns when it fails; the whole `Result` when an alias keeps that to itself.
        error: &'a Type,
    },
}

/// Sorts the function's types and complains about all that a handler cannot be.
pub(crate) fn read<'a>(function: &'a FnSignature, complaints: &mut Complaints) -> Signature<'a> {
    check_kind(function, complaints);
    check_generics(function, complaints);
    let arguments = arguments(function, complaints);
    let input = arguments.first().copied().filter(|argument| is_input(argument));
    let extracted = arguments[usize::from(input.is_some())..].to_vec();
    for late in extracted.iter().filter(|argument| is_input(argument)) {
        complaints.at(late, late_input(late, input));
    }
    Signature { input, extracted, output: output(&function.output, complaints) }
}

fn check_kind(function: &FnSignature, complaints: &mut Complaints) {
    if function.asyncness.is_none() {
        complaints.at(function.fn_token, format!("a job handler is async: write `async fn {}`", function.ident));
    }
    check_safety(function, complaints);
}

pub(crate) fn check_safety(function: &FnSignature, complaints: &mut Complaints) {
    if let Some(keyword) = &function.unsafety {
        complaints.at(keyword, "a job handler is safe to call: remove `unsafe` and use an `unsafe` block inside");
    }
    if let Some(abi) = &function.abi {
        complaints.at(abi, "a job handler is a Rust function: remove `extern`");
    }
}

pub(crate) fn check_generics(function: &FnSignature, complaints: &mut Complaints) {
    let advice = "a job is stored by its name alone, so its handler cannot be generic: write the types themselves, \
                  with one handler for each";
    if !function.generics.params.is_empty() {
        complaints.at(&function.generics.params, advice);
    } else if let Some(clause) = &function.generics.where_clause {
        complaints.at(clause, advice);
    }
}

fn arguments<'a>(function: &'a FnSignature, complaints: &mut Complaints) -> Vec<&'a Type> {
    let mut types = Vec::with_capacity(function.inputs.len());
    for argument in &function.inputs {
        match argument {
            FnArg::Receiver(receiver) => complaints.at(
                receiver,
                "a job handler is a free function: move it out of the `impl`, and take shared values as `State<S>` \
                 instead of `self`",
            ),
            FnArg::Typed(argument) => {
                ownership::check(&argument.ty, Place::Argument, complaints);
                types.push(&*argument.ty);
            }
        }
    }
    types
}

fn late_input(late: &Type, input: Option<&Type>) -> String {
    let late = written(late);
    match input {
        None => format!("the input must be the first argument: write `{late}` before the others"),
        Some(first) => format!(
            "a job has one input, and `{}` is it: put what `{late}` holds into a field of the first",
            written(first)
        ),
    }
}

pub(crate) fn output<'a>(returned: &'a ReturnType, complaints: &mut Complaints) -> Output<'a> {
    let ReturnType::Type(_, returned) = returned else {
        return Output::Unit;
    };
    ownership::check(returned, Place::Result, complaints);
    let Some(result) = last_segment(returned).filter(|segment| segment.ident == "Result") else {
        return Output::Plain(returned);
    };
    let mut arguments = types(result);
    let Some(success) = arguments.next() else {
        complaints.at(returned, "`#[job]` needs to see what the handler returns: write `Result<T>`, or `Result<()>`");
        return Output::Unit;
    };
    let error = arguments.next();
    if let Some((error, advice)) = error.and_then(|error| Some((error, no_error(error)?))) {
        complaints.at(error, advice);
    }
    Output::Fallible { success, error: error.unwrap_or(returned) }
}

/// What to write instead of types that are often taken for errors and do not convert into `Error`. The compiler
/// refuses all others, but cannot give advice on them.
fn no_error(error: &Type) -> Option<String> {
    let plain = match error {
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        Type::Reference(_) => true,
        _ => false,
    };
    let word = last_segment(error).map(|segment| segment.ident.to_string());
    match word.as_deref() {
        Some("Snooze") => Some("a snooze is no failure: write `Result<Result<T, Snooze>>`".to_owned()),
        Some("String" | "Box") => Some(no_error_advice(error)),
        _ => plain.then(|| no_error_advice(error)),
    }
}

fn no_error_advice(error: &Type) -> String {
    format!(
        "`{}` does not convert into a job's error: write `Result<T>`, and fail with `?`, `Error::permanent(…)` or \
         `Error::transient(…)`",
        written(error)
    )
}

/// Whether it is `Json<T>`, told by the last word of its path.
pub(crate) fn is_json(input: &Type) -> bool {
    last_segment(input).is_some_and(|segment| segment.ident == "Json")
}

fn is_input(argument: &Type) -> bool {
    last_segment(argument).is_some_and(|segment| INPUTS.iter().any(|input| segment.ident == input))
}

/// The last word of a type's path, with its type arguments. Sees through parentheses and the invisible groups that
/// `macro_rules!` variables leave.
fn last_segment(of: &Type) -> Option<&PathSegment> {
    match of {
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        Type::Path(TypePath { qself: None, path: Path { segments, .. } }) => segments.last(),
        _ => None,
    }
}

/// The type arguments of a segment.
fn types(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    };
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;
    use syn::parse_quote;

    fn complaints(function: FnSignature) -> Vec<String> {
        let mut complaints = Complaints::default();
        read(&function, &mut complaints);
        complaints.into_error().into_iter().flatten().map(|error| error.to_string()).collect()
    }

    #[test]
    fn only_a_first_argument_is_the_input() {
        let inputs: [FnSignature; 4] = [
            parse_quote!(async fn f(a: Json<A>, b: Context)),
            parse_quote!(async fn f(a: a::b::Text)),
            parse_quote!(async fn f(a: (Binary))),
            parse_quote!(async fn f(a: NoInput, b: Context)),
        ];
        for function in &inputs {
            assert!(read(function, &mut Complaints::default()).input.is_some(), "{}", function.to_token_stream());
        }
        let none: FnSignature = parse_quote!(async fn f(a: State<Json<A>>, b: Context));
        let read = read(&none, &mut Complaints::default());
        assert!(read.input.is_none());
        assert_eq!(read.extracted.len(), 2);
    }

    #[test]
    fn the_result_is_seen_through_any_alias_called_result() {
        let functions: [FnSignature; 3] = [
            parse_quote!(async fn f() -> Result<Json<A>>),
            parse_quote!(async fn f() -> io::Result<Json<A>>),
            parse_quote!(async fn f() -> ::core::result::Result<Json<A>, E>),
        ];
        for function in &functions {
            let Output::Fallible { success, .. } = read(function, &mut Complaints::default()).output else {
                panic!("{} is fallible", function.to_token_stream());
            };
            assert_eq!(written(success), "Json<A>");
        }
        let plain: FnSignature = parse_quote!(async fn f() -> Json<Result<A, B>>);
        assert!(matches!(read(&plain, &mut Complaints::default()).output, Output::Plain(_)));
        let unit: FnSignature = parse_quote!(async fn f());
        assert!(matches!(read(&unit, &mut Complaints::default()).output, Output::Unit));
    }

    #[test]
    fn a_late_input_is_told_where_to_go() {
        assert_eq!(
            complaints(parse_quote!(async fn f(a: Context, b: Json<(A, B)>))),
            ["the input must be the first argument: write `Json<(A, B)>` before the others"]
        );
        assert_eq!(
            complaints(parse_quote!(async fn f(a: Json<A>, b: Text))),
            ["a job has one input, and `Json<A>` is it: put what `Text` holds into a field of the first"]
        );
    }

    #[test]
    fn what_is_no_error_gets_advice() {
        for error in ["String", "Box<dyn Error>", "&'static str", "()"] {
            let error: Type = syn::parse_str(error).expect("a type");
            let complaints = complaints(parse_quote!(async fn f() -> Result<(), #error>));
            assert!(matches!(&complaints[..], [only] if only.contains("Error::permanent")), "{complaints:?}");
        }
        let snooze = complaints(parse_quote!(async fn f() -> Result<(), Snooze>));
        assert_eq!(snooze, ["a snooze is no failure: write `Result<Result<T, Snooze>>`"]);
        assert!(complaints(parse_quote!(async fn f() -> Result<(), io::Error>)).is_empty());
    }

    #[test]
    fn what_no_handler_can_be_is_refused() {
        let wrong: [(FnSignature, &str); 7] = [
            (parse_quote!(fn f()), "write `async fn f`"),
            (parse_quote!(async unsafe fn f()), "remove `unsafe`"),
            (parse_quote!(async extern "C" fn f()), "remove `extern`"),
            (parse_quote!(async fn f<T>(a: Json<T>)), "cannot be generic"),
            (parse_quote!(async fn f() where A: B), "cannot be generic"),
            (parse_quote!(async fn f(&self)), "free function"),
            (parse_quote!(async fn f() -> fmt::Result), "write `Result<T>`"),
        ];
        for (function, advice) in wrong {
            let complaints = complaints(function);
            assert!(matches!(&complaints[..], [only] if only.contains(advice)), "{advice}: {complaints:?}");
        }
    }
}
