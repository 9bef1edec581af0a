//! What stands in `dispatcher!`: the struct, and who handles what.

use std::collections::{HashMap, HashSet};

use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Fields, Ident, ItemStruct, Path, Result, Token, Type, braced, bracketed, parenthesized};

use crate::expand::complaints::Complaints;
use crate::expand::ownership::written;

/// The struct and who handles what.
pub(crate) struct Dispatcher {
    pub(crate) application: ItemStruct,
    pub(crate) commands: Vec<Answering>,
    pub(crate) queries: Vec<Answering>,
    pub(crate) events: Vec<Hearing>,
}

/// Where a message goes that a handler returns, and where an event goes to one of its handlers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// `create_order`: it is called at once.
    Call,
    /// `spawn(create_order)`: through the local queue.
    Spawn,
    /// `submit(create_order)`: as a job.
    Submit,
}

/// `CreateOrder => create_order`
pub(crate) struct Answering {
    pub(crate) conditions: Vec<Attribute>,
    pub(crate) message: Type,
    pub(crate) route: Route,
    pub(crate) handler: Path,
    /// The types of the layers around it, the outermost first.
    pub(crate) layers: Vec<Type>,
}

/// `OrderCreated => [send_mail, count_order]`
pub(crate) struct Hearing {
    pub(crate) conditions: Vec<Attribute>,
    pub(crate) event: Type,
    pub(crate) handlers: Vec<Listener>,
}

/// One of an event's handlers.
pub(crate) struct Listener {
    pub(crate) conditions: Vec<Attribute>,
    pub(crate) route: Route,
    pub(crate) handler: Path,
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
        let conditions = conditions(input)?;
        let (route, handler) = routed(input)?;
        Ok(Self { conditions, route, handler })
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
        let (route, handler) = routed(input)?;
        Ok(Self { conditions, message, route, handler, layers: Vec::new() })
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

/// A handler, as it is or within a route.
fn routed(input: ParseStream<'_>) -> Result<(Route, Path)> {
    let path = input.call(Path::parse_mod_style)?;
    if !input.peek(syn::token::Paren) {
        return Ok((Route::Call, path));
    }
    let route = match path.get_ident() {
        Some(word) if word == "spawn" => Route::Spawn,
        Some(word) if word == "submit" => Route::Submit,
        _ => {
            let advice = "there are two routes besides the handler itself: `spawn(handler)`, through the local queue, and `submit(handler)`, as a job";
            return Err(Error::new_spanned(path, advice));
        }
    };
    let content;
    parenthesized!(content in input);
    let handler = content.call(Path::parse_mod_style)?;
    match content.is_empty() {
        true => Ok((route, handler)),
        false => Err(content.error("a route has one handler")),
    }
}

fn arrow(input: ParseStream<'_>, example: &str) -> Result<()> {
    let missing = |error: Error| Error::new(error.span(), format!("write who handles it, such as `{example}`"));
    input.parse::<Token![=>]>().map(drop).map_err(missing)
}

impl Dispatcher {
    pub(crate) fn check(&self, complaints: &mut Complaints) {
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
        for query in self.queries.iter().filter(|entry| entry.route != Route::Call) {
            complaints.at(&query.handler, "a query is answered at once: write its handler without a route");
        }
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
}
