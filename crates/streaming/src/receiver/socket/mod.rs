// SPDX-License-Identifier: Apache-2.0
//! Receivers that connect to a TCP server; what they read from it is for the reader they are given.

mod address;
pub(crate) mod convert;
pub(crate) mod read_frames;
pub(crate) mod read_lines;

use std::{
    io,
    net::{Shutdown, TcpStream},
    sync::Arc,
};

use crossbeam_channel::{Receiver as ChannelEnd, Sender, bounded};
use dstreams_rdd::{BoxError, Wire};
use parking_lot::Mutex;

pub(crate) use address::Address;

use super::{Receiver, ReceiverHandle};

/// Connects to a server and reads until the end of the connection, then asks for a restart.
pub(crate) struct SocketReceiver<T, F> {
    address: Address,
    read: Arc<F>,
    /// The session that runs; stopping it must not wait for a connection or for data.
    session: Option<Session>,
    record: std::marker::PhantomData<fn() -> T>,
}

#[derive(Clone)]
struct Session {
    /// Told when the connection is made or cannot be, and when it is of no interest any more.
    news: Sender<News>,
    open: Arc<Mutex<Option<TcpStream>>>,
}

enum News {
    Connected(io::Result<TcpStream>),
    Stopped,
}

impl<T, F> SocketReceiver<T, F>
where
    T: Wire,
    F: Fn(TcpStream, &ReceiverHandle<T>) -> Result<(), BoxError> + Send + Sync + 'static,
{
    /// A receiver of what `read` stores of each connection to `address`. `read` returns at the end of the stream, and
    /// soon after the receiver was stopped.
    pub(crate) fn new(address: Address, read: F) -> Self {
        Self { address, read: Arc::new(read), session: None, record: std::marker::PhantomData }
    }

    fn receive(
        address: &Address,
        session: &Session,
        news: &ChannelEnd<News>,
        read: &F,
        handle: &ReceiverHandle<T>,
    ) -> Result<(), BoxError> {
        let stream = match news.recv() {
            Ok(News::Connected(Ok(stream))) => stream,
            Ok(News::Connected(Err(error))) => {
                handle.restart(&format!("Error connecting to {address}: {error}"), Some(error.into()));
                return Ok(());
            }
            Ok(News::Stopped) | Err(_) => return Ok(()),
        };
        *session.open.lock() = Some(stream.try_clone()?);
        // Either this sees the stop, or the stop sees the connection and shuts it down.
        if handle.is_stopped() {
            return Ok(());
        }
        tracing::info!(stream = %handle.stream_id(), %address, "connected");
        let outcome = read(stream, handle);
        session.open.lock().take();
        if handle.is_stopped() {
            return Ok(());
        }
        outcome?;
        handle.restart("Socket data stream had no more data", None);
        Ok(())
    }
}

impl<T, F> Receiver for SocketReceiver<T, F>
where
    T: Wire,
    F: Fn(TcpStream, &ReceiverHandle<T>) -> Result<(), BoxError> + Send + Sync + 'static,
{
    type Record = T;

    fn on_start(&mut self, handle: ReceiverHandle<T>) -> Result<(), BoxError> {
        // Room for both: neither the connection nor the stop waits for the other.
        let (sender, news) = bounded(2);
        let session = Session { news: sender.clone(), open: Arc::default() };
        self.session = Some(session.clone());
        // Names and connections may take minutes to fail, which no stop should wait for; this thread is left behind.
        let address = self.address.clone();
        std::thread::Builder::new().name("dstreams-connect".to_owned()).spawn(move || {
            // Nobody listens any more once the session has been stopped.
            let _ = sender.send(News::Connected(address.connect()));
        })?;
        let (address, read) = (self.address.clone(), Arc::clone(&self.read));
        handle.spawn("socket", move |handle| Self::receive(&address, &session, &news, &read, handle))
    }

    fn on_stop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let _ = session.news.try_send(News::Stopped);
        if let Some(stream) = session.open.lock().take() {
            // The server may have closed it already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn name(&self) -> String {
        "SocketReceiver".to_owned()
    }
}
