// SPDX-License-Identifier: Apache-2.0
//! Who may see pages and who may stop an application.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::query::Query;

/// The cookie that holds the token once it was given in an address.
const COOKIE: &str = "dstreams_token";

/// The header without which nothing is changed: a page of another site cannot send it.
pub(crate) const REQUESTED_BY: &str = "x-requested-by";

/// The rules of one server.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// Without one, only this machine reaches the server.
    token: Option<String>,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Allowed,
    /// The token stood in the address, from where it is moved to a cookie.
    Remembered {
        location: String,
    },
    Refused(StatusCode, &'static str),
}

impl Access {
    pub(crate) fn new(token: Option<String>) -> Self {
        Self { token: token.filter(|token| !token.is_empty()) }
    }

    /// Whether there is a token.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    fn decide(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap) -> Decision {
        if method != Method::GET && method != Method::HEAD && !headers.contains_key(REQUESTED_BY) {
            return Decision::Refused(
                StatusCode::FORBIDDEN,
                "send the header X-Requested-By with any value, so that pages of other sites cannot do this",
            );
        }
        let Some(token) = &self.token else {
            return if is_local_host(headers) {
                Decision::Allowed
            } else {
                // Otherwise a site whose name leads to this machine could read the pages through a browser here.
                Decision::Refused(
                    StatusCode::FORBIDDEN,
                    "open this page as http://127.0.0.1 or http://localhost",
                )
            };
        };
        // Load balancers ask without a token.
        if path.starts_with("/health/") {
            return Decision::Allowed;
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        if bearer.or(cookie(headers)).is_some_and(|given| is_same(given, token)) {
            return Decision::Allowed;
        }
        let query = Query::parse(query);
        if method == Method::GET && query.get("token").is_some_and(|given| is_same(given, token)) {
            let rest = query.without("token");
            let location = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
            return Decision::Remembered { location };
        }
        Decision::Refused(
            StatusCode::UNAUTHORIZED,
            "a token is needed: add ?token=… to the address, or send Authorization: Bearer …",
        )
    }
}

/// Lets through what is allowed.
pub(crate) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    match access.decide(request.method(), uri.path(), query, request.headers()) {
        Decision::Allowed => secured(next.run(request).await),
        Decision::Remembered { location } => {
            let token = access.token.unwrap_or_default();
            let cookie =
                format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", crate::query::encode(&token));
            let headers = [(header::LOCATION, location), (header::SET_COOKIE, cookie)];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Decision::Refused(status, reason) => (status, reason).into_response(),
    }
}

/// Tells browsers to load nothing from elsewhere and to show the pages in no frame.
fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Whether the request names this machine itself.
fn is_local_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.parse::<SocketAddr>() {
        Ok(address) => return address.ip().is_loopback(),
        Err(_) => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Compares in a time that says nothing of where the difference is.
fn is_same(given: &str, token: &str) -> bool {
    let difference = given.bytes().zip(token.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == token.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("it is a header"));
        }
        headers
    }

    #[test]
    fn without_a_token_only_this_machine_is_answered() {
        let access = Access::new(None);
        let of = |host| access.decide(&Method::GET, "/", "", &headers(&[("host", host)]));
        for host in ["localhost:4040", "127.0.0.1:4040", "[::1]:4040", "LOCALHOST"] {
            assert_eq!(of(host), Decision::Allowed, "{host}");
        }
        for host in ["evil.example", "10.0.0.1:4040", "localhost.evil.example:80"] {
            assert!(matches!(of(host), Decision::Refused(StatusCode::FORBIDDEN, _)), "{host}");
        }
    }

    #[test]
    fn a_token_is_taken_from_header_cookie_or_address() {
        let access = Access::new(Some("secret".to_owned()));
        let of = |query: &str, pairs: &[_]| access.decide(&Method::GET, "/p", query, &headers(pairs));
        assert_eq!(of("", &[("authorization", "Bearer secret")]), Decision::Allowed);
        assert_eq!(of("", &[("cookie", "a=b; dstreams_token=secret")]), Decision::Allowed);
        assert_eq!(of("token=secret&page=2", &[]), Decision::Remembered { location: "/p?page=2".to_owned() });
        for wrong in ["", "token=secre", "token=secrets", "token=Secret"] {
            assert!(matches!(of(wrong, &[]), Decision::Refused(StatusCode::UNAUTHORIZED, _)), "{wrong}");
        }
        assert_eq!(access.decide(&Method::GET, "/health/live", "", &headers(&[])), Decision::Allowed);
    }

    #[test]
    fn nothing_is_changed_for_a_page_of_another_site() {
        let access = Access::new(None);
        let local = ("host", "127.0.0.1:4040");
        let of = |pairs: &[_]| access.decide(&Method::POST, "/", "", &headers(pairs));
        assert!(matches!(of(&[local]), Decision::Refused(StatusCode::FORBIDDEN, _)));
        assert_eq!(of(&[local, (REQUESTED_BY, "me")]), Decision::Allowed);
    }
}
