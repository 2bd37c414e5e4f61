// SPDX-License-Identifier: Apache-2.0
//! The description of the REST interface in the form of OpenAPI 3.1, made from the table of endpoints.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{ENDPOINTS, Endpoint, Method, paths};

/// Describes every endpoint.
pub(crate) fn describe() -> Value {
    let mut schemas = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut described = Map::new();
    for endpoint in ENDPOINTS {
        let schema = (endpoint.schema)(&mut schemas);
        // The form with the number of the run says nothing more.
        let Some(path) = paths(endpoint).into_iter().next() else { continue };
        let method = match endpoint.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        let operation = operation(endpoint, &path, &schema.to_value());
        described
            .entry(path)
            .or_insert_with(|| json!({}))
            .as_object_mut()
            .map(|methods| methods.insert(method.to_owned(), operation));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "dstreams",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a running application of dstreams tells of itself. Paths and fields are those of Spark Streaming where it has them.",
        },
        "paths": described,
        "components": { "schemas": schemas.take_definitions(true) },
    })
}

fn operation(endpoint: &Endpoint, path: &str, schema: &Value) -> Value {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = endpoint.query.iter().map(|(name, meaning)| {
        json!({
            "name": name, "in": "query", "description": meaning, "explode": true,
            "schema": { "type": "array", "items": { "type": "string" } },
        })
    });
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({ "description": endpoint.summary, "content": { "application/json": { "schema": schema } } }),
    );
    for (status, when) in endpoint.others {
        responses.insert(status.to_string(), json!({ "description": when }));
    }
    json!({ "summary": endpoint.summary, "parameters": parameters, "responses": responses })
}
