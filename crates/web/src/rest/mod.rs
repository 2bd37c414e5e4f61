// SPDX-License-Identifier: Apache-2.0
//! The REST interface: one table of what can be asked, from which routes and their description are made.

mod answer;
mod endpoints;
mod openapi;

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawPathParams, RawQuery, State},
    response::IntoResponse,
    routing::{MethodFilter, on},
};
use schemars::{Schema, SchemaGenerator};

use self::{answer::Answer, endpoints::ENDPOINTS};
use crate::{query::Query, ui::App};

/// What can be asked for, or done.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// The path, with its parameters in braces. One that starts with `/streaming` belongs to an application.
    pub(crate) path: &'static str,
    /// What it gives.
    pub(crate) summary: &'static str,
    /// Names of parameters after the question mark, and what they mean.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// What the answer looks like.
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
    /// Statuses other than 200 and when they come.
    pub(crate) others: &'static [(u16, &'static str)],
    pub(crate) answer: fn(&App, &Asked) -> Answer,
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// The parameters of a request.
pub(crate) struct Asked {
    path: Vec<(String, String)>,
    query: Query,
}

impl Asked {
    /// A parameter of the path.
    pub(crate) fn path(&self, name: &str) -> &str {
        let found = self.path.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn query(&self) -> &Query {
        &self.query
    }
}

/// Where the parts of an application are found.
const OF_APPLICATION: &str = "/api/v1/applications/{app}";
/// The same with the number of the run, of which there is only one.
const OF_ATTEMPT: &str = "/api/v1/applications/{app}/{attempt}";

/// The full paths of an endpoint.
fn paths(endpoint: &Endpoint) -> Vec<String> {
    if endpoint.path.starts_with("/streaming") {
        [OF_APPLICATION, OF_ATTEMPT].iter().map(|base| format!("{base}{}", endpoint.path)).collect()
    } else {
        vec![endpoint.path.to_owned()]
    }
}

/// Adds all endpoints.
pub(crate) fn add_routes(mut router: Router<Arc<App>>) -> Router<Arc<App>> {
    for endpoint in ENDPOINTS {
        let filter = match endpoint.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        for path in paths(endpoint) {
            let handler = move |State(app): State<Arc<App>>,
                                path: RawPathParams,
                                RawQuery(query): RawQuery| async move {
                let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                let query = Query::parse(query.as_deref().unwrap_or_default());
                respond(endpoint, &app, &Asked { path, query })
            };
            router = router.route(&path, on(filter, handler));
        }
    }
    router
}

fn respond(endpoint: &Endpoint, app: &App, asked: &Asked) -> impl IntoResponse + use<> {
    let known = app.monitor.read(|store| store.application().id.clone());
    let wanted = asked.path("app");
    if !wanted.is_empty() && wanted != known {
        return Answer::not_found(format!("unknown app: {wanted}"));
    }
    (endpoint.answer)(app, asked)
}
