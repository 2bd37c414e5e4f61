// SPDX-License-Identifier: Apache-2.0
//! The methods of a context that make input streams, and those that combine several streams.

use std::{io::BufReader, net::TcpStream, sync::Arc};

use dstreams_rdd::{BoxError, Data, Rdd, StorageLevel, Text, Wire};

use super::StreamingContext;
use crate::{
    dstream::DStream,
    error::Error,
    receiver::{
        Receiver, ReceiverHandle, ReceiverOptions,
        socket::{Address, SocketReceiver, convert, read_frames, read_lines},
    },
    source::{QueueSource, QueueTake, RddQueue, ReceivedSource, Source, SourceContext},
};

impl StreamingContext {
    /// A stream of the datasets in `queue`, one per batch; a batch for which there is none gets an empty dataset.
    ///
    /// ```
    /// use dstreams_streaming::{RddQueue, testing::TestContext};
    /// let test = TestContext::new()?;
    /// let ssc = test.context();
    /// let queue = RddQueue::from_iter([ssc.rdd_context().parallelize([1, 2])]);
    /// let seen = test.collect(&ssc.queue_stream(&queue));
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [vec![1, 2], vec![]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn queue_stream<T: Data>(&self, queue: &RddQueue<T>) -> DStream<T> {
        self.queue_stream_with(queue, QueueTake::OneAtATime, None)
    }

    /// As [`queue_stream`](Self::queue_stream); says how many datasets a batch takes, and which one it gets when the
    /// queue is empty (an empty one with one partition if `None`).
    #[track_caller]
    pub fn queue_stream_with<T: Data>(
        &self,
        queue: &RddQueue<T>,
        take: QueueTake,
        default: Option<Rdd<T>>,
    ) -> DStream<T> {
        self.stream("queue_stream", |_| Arc::new(QueueSource::new(queue.clone(), take, default)))
    }

    /// A stream of what `receiver` receives. The receiver is started with the context, on threads of its own.
    ///
    /// See [`Receiver`] for an example.
    #[track_caller]
    pub fn receiver_stream<R: Receiver>(&self, receiver: R) -> DStream<R::Record> {
        self.receiver_stream_with(receiver, ReceiverOptions::default())
    }

    /// As [`receiver_stream`](Self::receiver_stream); says how the blocks are kept.
    ///
    /// ```
    /// # use dstreams_streaming::{BoxError, receiver::{Receiver, ReceiverHandle}};
    /// # struct Ticks;
    /// # impl Receiver for Ticks {
    /// #     type Record = u32;
    /// #     fn on_start(&mut self, handle: ReceiverHandle<u32>) -> Result<(), BoxError> { handle.store(1)?; Ok(()) }
    /// # }
    /// use dstreams_streaming::{StorageLevel, receiver::ReceiverOptions, testing::TestContext};
    /// let test = TestContext::new()?;
    /// let options = ReceiverOptions::default().storage_level(StorageLevel::MEMORY_AND_DISK_SER);
    /// let seen = test.collect(&test.context().receiver_stream_with(Ticks, options));
    /// test.run_until(|| seen.batches().concat() == [1])?;
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn receiver_stream_with<R: Receiver>(
        &self,
        receiver: R,
        options: ReceiverOptions,
    ) -> DStream<R::Record> {
        if options.storage_level == StorageLevel::NONE {
            self.inner.scope.reject(Error::IllegalArgument(
                "received blocks cannot be kept with storage level NONE".to_owned(),
            ));
        }
        self.stream("receiver_stream", |context| {
            Arc::new(ReceivedSource::new("Receiver stream", receiver, options, context))
        })
    }

    /// A stream of the lines that a TCP server at `address` (`host:port`) sends: UTF-8 with any of the usual line
    /// ends.
    ///
    /// A server that cannot be reached or closes the connection is connected to again, for ever, after a delay that
    /// grows from `spark.streaming.receiverRestartDelay` to `dstreams.receiver.maxRestartDelay`. Lines that are not
    /// UTF-8 or longer than `dstreams.socket.maxLineLength` are left out, counted and shown with the batch. A server
    /// that sends faster than the stream can store has to wait.
    ///
    /// ```
    /// use std::{io::Write, net::TcpListener};
    /// use dstreams_streaming::testing::TestContext;
    /// let server = TcpListener::bind("127.0.0.1:0")?;
    /// let test = TestContext::new()?;
    /// let lines = test.context().socket_text_stream(&server.local_addr()?.to_string());
    /// let seen = test.collect(&lines);
    /// test.context().start()?;
    /// server.accept()?.0.write_all(b"to be\nor not\n")?;
    /// test.run_until(|| seen.batches().concat().len() == 2)?;
    /// assert_eq!(seen.batches().concat(), ["to be", "or not"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn socket_text_stream(&self, address: &str) -> DStream<Text> {
        self.connection_stream("socket_text_stream", "Socket stream", address, |context| {
            let options = read_lines::options(context.config());
            move |stream, handle: &ReceiverHandle<Text>| read_lines::read(stream, options, handle)
        })
    }

    /// A stream of what `converter` makes of the bytes that a TCP server at `address` (`host:port`) sends; connects as
    /// [`socket_text_stream`](Self::socket_text_stream) does.
    ///
    /// An error of the iterator that is an I/O error ends the connection, which is made anew; any other error, and an
    /// I/O error of the kind `InvalidData`, is counted as a record that could not be decoded.
    ///
    /// ```
    /// use std::{io::{BufRead, Write}, net::TcpListener};
    /// use dstreams_streaming::testing::TestContext;
    /// let server = TcpListener::bind("127.0.0.1:0")?;
    /// let test = TestContext::new()?;
    /// let numbers = test.context().socket_stream(&server.local_addr()?.to_string(), |bytes| {
    ///     bytes.lines().map(|line| -> Result<i64, Box<dyn std::error::Error + Send + Sync>> { Ok(line?.parse()?) })
    /// });
    /// let seen = test.collect(&numbers);
    /// test.context().start()?;
    /// server.accept()?.0.write_all(b"7\nmany\n8\n")?;
    /// test.run_until(|| seen.batches().concat().len() == 2)?;
    /// assert_eq!(seen.batches().concat(), [7, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn socket_stream<T, I, E>(
        &self,
        address: &str,
        converter: impl Fn(BufReader<TcpStream>) -> I + Send + Sync + 'static,
    ) -> DStream<T>
    where
        T: Wire,
        I: Iterator<Item = Result<T, E>>,
        E: Into<BoxError>,
    {
        self.connection_stream("socket_stream", "Socket stream", address, move |_| {
            move |stream, handle: &ReceiverHandle<T>| convert::read(&converter, stream, handle)
        })
    }

    /// A stream of the blocks that a TCP server at `address` (`host:port`) sends; connects as
    /// [`socket_text_stream`](Self::socket_text_stream) does. The cheapest way to move records between programs:
    /// each block is stored as it comes.
    ///
    /// A block is its length in bytes as a big-endian `u32`, then the records as one or more calls of
    /// [`encode_chunk`](dstreams_rdd::codec::encode_chunk) write them. One that cannot be read is reported as an
    /// error of the receiver, and the connection is made anew.
    ///
    /// ```
    /// use std::{io::Write, net::TcpListener};
    /// use dstreams_rdd::codec::{Compression, encode_chunk};
    /// use dstreams_streaming::testing::TestContext;
    /// let server = TcpListener::bind("127.0.0.1:0")?;
    /// let test = TestContext::new()?;
    /// let seen = test.collect(&test.context().raw_socket_stream::<u32>(&server.local_addr()?.to_string()));
    /// test.context().start()?;
    /// let mut block = Vec::new();
    /// encode_chunk([&1u32, &2], Compression::None, &mut block)?;
    /// let mut connection = server.accept()?.0;
    /// connection.write_all(&u32::try_from(block.len())?.to_be_bytes())?;
    /// connection.write_all(&block)?;
    /// test.run_until(|| seen.batches().concat().len() == 2)?;
    /// assert_eq!(seen.batches().concat(), [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn raw_socket_stream<T: Wire>(&self, address: &str) -> DStream<T> {
        self.connection_stream("raw_socket_stream", "Raw socket stream", address, |context| {
            let longest = context.rdd_context().memory().limit();
            move |stream, handle: &ReceiverHandle<T>| read_frames::read(stream, longest, handle)
        })
    }

    /// The stream of what `reader` stores of each connection to `address`.
    #[track_caller]
    fn connection_stream<T: Wire, F>(
        &self,
        operator: &'static str,
        name: &'static str,
        address: &str,
        reader: impl FnOnce(&SourceContext) -> F,
    ) -> DStream<T>
    where
        F: Fn(TcpStream, &ReceiverHandle<T>) -> Result<(), BoxError> + Send + Sync + 'static,
    {
        // An address that makes no sense is kept as an error of the graph, which then does not start.
        let address = Address::parse(address).unwrap_or_else(|error| {
            self.inner.scope.reject(error);
            Address::default()
        });
        self.stream(operator, |context| {
            Arc::new(ReceivedSource::new(
                name,
                SocketReceiver::new(address, reader(context)),
                ReceiverOptions::default(),
                context,
            ))
        })
    }

    /// A stream of any [`Source`]: how connectors make theirs. `source` is given the number of the
    /// input stream and what it needs of the context.
    #[track_caller]
    pub fn stream<S: Source>(
        &self,
        operator: &'static str,
        source: impl FnOnce(&SourceContext) -> Arc<S>,
    ) -> DStream<S::Record> {
        DStream::from_source(&self.inner.scope, operator, source)
    }
}
