// SPDX-License-Identifier: Apache-2.0
//! What an endpoint answers.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

impl Answer {
    /// A value as JSON, in lines, as the original writes it.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        match serde_json::to_string_pretty(value) {
            Ok(body) => Self { status: StatusCode::OK, kind: "application/json", body },
            Err(error) => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                kind: "text/plain",
                body: format!("the answer cannot be written as JSON: {error}"),
            },
        }
    }

    /// A value that may not be there; `what` says what is missing.
    pub(crate) fn found(value: Option<impl Serialize>, what: impl FnOnce() -> String) -> Self {
        value.map_or_else(|| Self::not_found(what()), |value| Self::json(&value))
    }

    pub(crate) fn not_found(what: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, kind: "text/plain", body: what }
    }

    /// Another status than 200 for what is otherwise the same.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, self.kind), (header::CACHE_CONTROL, "no-store")];
        (self.status, headers, self.body).into_response()
    }
}
