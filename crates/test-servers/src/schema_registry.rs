// SPDX-License-Identifier: Apache-2.0
//! A small registry of schemas that speaks HTTP, for tests of formats.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

/// A registry on a free port of the loopback interface, as long as the value lives.
pub struct SchemaRegistryServer {
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Schemas as JSON strings with their quotes; the number of a schema is its place, from 1.
    schemas: Mutex<Vec<String>>,
    away: AtomicBool,
    /// What the header `Authorization` must be, if anything.
    authorization: Mutex<Option<String>>,
    closed: AtomicBool,
    requests: AtomicUsize,
}

impl SchemaRegistryServer {
    /// Starts an empty one.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for connection in listener.incoming() {
                if serving.closed.load(Ordering::Relaxed) {
                    return;
                }
                // A client that breaks off has no answer to get.
                let _ = connection.and_then(|connection| serving.answer(connection));
            }
        });
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes it answer that it is overloaded, or ends that.
    pub fn set_available(&self, available: bool) {
        self.shared.away.store(!available, Ordering::Relaxed);
    }

    /// Lets only those in whose header `Authorization` is this.
    pub fn ask_for(&self, authorization: &str) {
        if let Ok(mut asked) = self.shared.authorization.lock() {
            *asked = Some(authorization.to_owned());
        }
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for SchemaRegistryServer {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // The server looks when somebody comes.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn answer(&self, mut connection: TcpStream) -> io::Result<()> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut reader = BufReader::new(connection.try_clone()?);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let (mut length, mut authorization) = (0, None);
        for line in reader.by_ref().lines() {
            let line = line?;
            if line.is_empty() {
                break;
            }
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap_or(0);
                }
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    authorization = Some(value.trim().to_owned());
                }
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut request = first.split(' ');
        let (method, path) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
        let asked = self.authorization.lock().is_ok_and(|asked| asked.is_some() && *asked != authorization);
        let (status, text) = if asked {
            ("401 Unauthorized", r#"{"error_code":401,"message":"Unauthorized"}"#.to_owned())
        } else {
            self.decide(method, path, &String::from_utf8_lossy(&body))
        };
        write!(
            connection,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        )
    }

    fn decide(&self, method: &str, path: &str, body: &str) -> (&'static str, String) {
        if self.away.load(Ordering::Relaxed) {
            return (
                "503 Service Unavailable",
                r#"{"error_code":50301,"message":"come back later"}"#.to_owned(),
            );
        }
        let Ok(mut schemas) = self.schemas.lock() else {
            return ("500 Internal Server Error", String::new());
        };
        if let Some(id) = path.strip_prefix("/schemas/ids/") {
            let schema = id.parse().ok().and_then(|id: usize| schemas.get(id.checked_sub(1)?));
            return schema.map_or_else(
                || ("404 Not Found", r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned()),
                |schema| ("200 OK", format!(r#"{{"schema":{schema}}}"#)),
            );
        }
        // The body is {"schema":"…"}; the quoted text is kept as it is.
        let schema = body.strip_prefix(r#"{"schema":"#).and_then(|rest| rest.strip_suffix('}'));
        match schema {
            Some(schema)
                if method == "POST" && path.starts_with("/subjects/") && path.ends_with("/versions") =>
            {
                let known = schemas.iter().position(|known| known == schema);
                let place = known.unwrap_or_else(|| {
                    schemas.push(schema.to_owned());
                    schemas.len() - 1
                });
                ("200 OK", format!(r#"{{"id":{}}}"#, place + 1))
            }
            _ => ("404 Not Found", r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#.to_owned()),
        }
    }
}
