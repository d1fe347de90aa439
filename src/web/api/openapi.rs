//! The OpenAPI 3.1 document, made from the table of resources and the types of their answers.

use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::acts::{ACTS, Accepted, Act, FieldKind, How};
use super::problem::Problem;
use super::resource::Resource;
use super::table::RESOURCES;
use super::{PATH, events};
use crate::view::Event;
use crate::web::args::{Arg, Kind};

/// The address of the document.
pub(in crate::web) const DOCUMENT: &str = "/api/v1/openapi.json";

/// The document.
pub(in crate::web) static OPENAPI: LazyLock<Value> = LazyLock::new(document);

/// Where schemas stand in the document.
const SCHEMAS: &str = "/components/schemas";

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let problem = schemas.subschema_for::<Problem>().to_value();
    let mut paths = Map::new();
    for resource in RESOURCES {
        let item = resource.answer.schema(&mut schemas).to_value();
        let item = with_parts(resource, item, &schemas);
        let get = operation(resource, item, &problem);
        paths.insert(resource.path.to_owned(), json!({ "get": get }));
    }
    let accepted = schemas.subschema_for::<Accepted>().to_value();
    for act in ACTS {
        let at = paths.entry(act.path).or_insert_with(|| json!({}));
        at["post"] = act_of(act, &accepted, &problem);
    }
    paths.insert(events::PATH.to_owned(), happening(&mut schemas, &problem));
    let about = "This document.";
    let itself = json!({
        "operationId": "openapi",
        "summary": about,
        "responses": { "200": answer(about, "application/json", &json!({ "type": "object" })) },
    });
    paths.insert(DOCUMENT.to_owned(), json!({ "get": itself }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "buildmaster",
            "version": "1",
            "description": "What a master knows. Times are RFC 3339 in UTC, durations are \
                seconds, and what is absent is null.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": schemas.take_definitions(true) },
    })
}

/// What can be asked of a resource.
fn operation(resource: &Resource, item: Value, problem: &Value) -> Value {
    let schema = match resource.answer.is_list() {
        true => list(&item),
        false => item,
    };
    let mut parameters = path_parameters(resource.path);
    parameters.extend(
        resource
            .all_args()
            .iter()
            .map(|arg| parameter(arg, resource)),
    );
    let mut responses = json!({ "200": answer(resource.about, "application/json", &schema) });
    let mut refused = |status: &str, about| {
        responses[status] = answer(about, "application/problem+json", problem);
    };
    refused(
        "400",
        "An argument does not exist, or has a value that it cannot have.",
    );
    if resource.path.contains('{') {
        refused("404", "What the address names does not exist.");
    }
    refused("503", "The master cannot answer now.");
    json!({
        "operationId": operation_id(resource.path),
        "summary": resource.about,
        "parameters": parameters,
        "responses": responses,
    })
}

fn answer(about: &str, media_type: &str, schema: &Value) -> Value {
    json!({ "description": about, "content": { media_type: { "schema": schema } } })
}

/// Some of a list.
fn list(item: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": { "type": "array", "items": item },
            "next": {
                "description": "The address of what comes next; null at the end.",
                "type": ["string", "null"],
            },
            "total": {
                "description": "How many there are, if that was asked for.",
                "type": "integer",
            },
        },
    })
}

/// An item some of whose members are addresses unless they are asked for.
fn with_parts(resource: &Resource, item: Value, schemas: &SchemaGenerator) -> Value {
    if resource.parts.is_empty() {
        return item;
    }
    let name = item["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    let definition = name.and_then(|name| schemas.definitions().get(name));
    let mut whole = definition.cloned().unwrap_or(item);
    for part in resource.parts {
        let member = &mut whole["properties"][part.name];
        let address = json!({ "type": "string", "format": "uri-reference" });
        let about = member["description"].clone();
        *member = json!({ "description": about, "anyOf": [address, member.clone()] });
    }
    whole
}

fn path_parameters(path: &str) -> Vec<Value> {
    let parts = path.split('/');
    let names = parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
    names.map(parameter).collect()
}

fn parameter(arg: &Arg, resource: &Resource) -> Value {
    let schema = match (arg.name, arg.kind) {
        ("include", _) => {
            let names: Vec<_> = resource.parts.iter().map(|part| part.name).collect();
            json!({ "type": "array", "items": { "type": "string", "enum": names } })
        }
        ("fields", _) => json!({ "type": "array", "items": { "type": "string" } }),
        (_, Kind::Text) => json!({ "type": "array", "items": { "type": "string" } }),
        (_, Kind::Word(words)) => {
            json!({ "type": "array", "items": { "type": "string", "enum": words } })
        }
        (_, Kind::Number { least, most }) => {
            let mut schema = json!({ "type": "integer", "minimum": least });
            if most < u64::MAX {
                schema["maximum"] = json!(most);
            }
            schema
        }
        (_, Kind::Flag) => json!({ "type": "string", "enum": ["0", "1"] }),
    };
    let is_list = matches!(arg.name, "include" | "fields");
    let mut parameter = json!({ "name": arg.name, "in": "query", "schema": schema });
    if is_list {
        (parameter["style"], parameter["explode"]) = (json!("form"), json!(false));
    }
    parameter
}

/// What can be done.
fn act_of(act: &Act, accepted: &Value, problem: &Value) -> Value {
    let mut properties = Map::new();
    for field in act.fields {
        let schema = match field.kind {
            FieldKind::Text => json!({ "type": "string", "description": field.about }),
            FieldKind::Flag => json!({ "type": "boolean", "description": field.about }),
            FieldKind::Texts => json!({
                "type": "array",
                "items": { "type": "string" },
                "description": field.about,
            }),
            FieldKind::Values => json!({ "type": "object", "description": field.about }),
        };
        properties.insert(field.name.to_owned(), schema);
    }
    let body = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": act.how == How::Form,
    });
    let mut parameters = path_parameters(act.path);
    parameters.push(json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The act is done once for each key within 24 hours.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
    }));
    let mut responses = json!({ "202": answer("Done, or begun.", "application/json", accepted) });
    for (status, about) in [
        (
            "400",
            "A field does not exist, or has a value that it cannot have.",
        ),
        ("401", "The act needs a token."),
        ("403", "The caller may not do this."),
        ("409", "It was not done, for the reason that is given."),
        ("413", "What was sent is too large."),
        ("415", "What was sent is neither JSON nor a form."),
        ("422", "Another request had this Idempotency-Key."),
    ] {
        responses[status] = answer(about, "application/problem+json", problem);
    }
    json!({
        "operationId": format!("{}_post", operation_id(act.path)),
        "summary": act.about,
        "parameters": parameters,
        "requestBody": { "content": {
            "application/json": { "schema": body },
            "application/x-www-form-urlencoded": { "schema": body },
        } },
        "responses": responses,
    })
}

/// The stream of what happens.
fn happening(schemas: &mut SchemaGenerator, problem: &Value) -> Value {
    let event = schemas.subschema_for::<Event>().to_value();
    let about = "What happens, from a number on. A page hears only that it has changed.";
    let mut ok = answer(about, "text/event-stream", &json!({ "type": "string" }));
    ok["content"]["application/x-ndjson"] = json!({ "schema": event });
    let text = json!({ "type": "array", "items": { "type": "string" } });
    let refused = "Too many streams are open.";
    json!({ "get": {
        "operationId": "events",
        "summary": about,
        "parameters": [
            { "name": "since", "in": "query", "schema": { "type": "integer", "minimum": 0 } },
            { "name": "topic", "in": "query", "schema": text },
            { "name": "page", "in": "query", "schema": { "type": "string" } },
            { "name": "Last-Event-ID", "in": "header", "schema": { "type": "integer" } },
        ],
        "responses": {
            "200": ok,
            "400": answer("A topic does not exist.", "application/problem+json", problem),
            "503": answer(refused, "application/problem+json", problem),
        },
    } })
}

/// `builders_builder_builds` for `/api/v1/builders/{builder}/builds`.
fn operation_id(path: &str) -> String {
    let rest = path.strip_prefix(PATH).unwrap_or(path);
    let parts = rest.split('/').filter(|part| !part.is_empty());
    let words = parts.map(|part| part.trim_matches(['{', '}']));
    let id = words.collect::<Vec<_>>().join("_");
    if id.is_empty() {
        "index".to_owned()
    } else {
        id
    }
}

#[cfg(test)]
mod tests;
