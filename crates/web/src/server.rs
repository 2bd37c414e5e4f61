// SPDX-License-Identifier: Apache-2.0
//! The HTTP server: a thread of its own, on which all requests are answered.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use tokio::sync::oneshot;

use crate::{
    access::{Access, guard},
    error::Result,
    metrics, page,
    query::Query,
    rest,
    ui::App,
};

/// A server that runs.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, access: Access, app: Arc<App>) -> Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let routes = routes(app).layer(middleware::from_fn_with_state(access, guard));
        let thread = std::thread::Builder::new().name("dstreams-web".to_owned()).spawn(move || {
            runtime.block_on(async {
                let serving = tokio::spawn(async { axum::serve(listener, routes).await });
                // Live updates have no end, so nobody waits for open connections.
                let _ = stopped.await;
                serving.abort();
            });
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the thread has ended.
            let _ = stop.send(());
        }
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the web server panicked");
        }
    }
}

fn routes(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/", get(|| async { Redirect::temporary("/streaming/") }))
        .route("/events", get(|State(app): State<Arc<App>>| async move { app.live.events() }))
        .route("/assets/app.css", get(|| async { asset("text/css", include_str!("../assets/app.css")) }))
        .route("/assets/app.js", get(|| async { asset("text/javascript", include_str!("../assets/app.js")) }))
        .route("/favicon.ico", get(|| async { asset("image/svg+xml", include_str!("../assets/icon.svg")) }));
    for (paths, make) in page::PAGES {
        for path in *paths {
            let handler = move |State(app): State<Arc<App>>, RawQuery(query): RawQuery| async move {
                shown(make(&app, &Query::parse(query.as_deref().unwrap_or_default())))
            };
            router = router.route(path, get(handler));
        }
    }
    let router = metrics::add_routes(router, &app);
    rest::add_routes(router).with_state(app)
}

fn shown(made: std::result::Result<maud::Markup, page::Problem>) -> Response {
    match made {
        Ok(page) => ([(header::CACHE_CONTROL, "no-store")], Html(page.into_string())).into_response(),
        Err(page::Problem { status, page }) => (status, Html(page.into_string())).into_response(),
    }
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    // They change with the binary only; a browser asks again after an hour.
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=3600")];
    (StatusCode::OK, headers, text)
}
