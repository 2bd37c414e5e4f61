// SPDX-License-Identifier: Apache-2.0
//! The methods of a context that make input streams, and those that combine several streams.

use std::sync::Arc;

use dstreams_rdd::{Data, Rdd, Text};

use super::StreamingContext;
use crate::{
    dstream::DStream,
    receiver::{
        Receiver,
        socket::{Address, SocketReceiver, read_lines},
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
        self.stream("receiver_stream", |context| {
            Arc::new(ReceivedSource::new("Receiver stream", receiver, context))
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
        let address = self.address(address);
        self.stream("socket_text_stream", |context| {
            let options = read_lines::options(context.config());
            let receiver =
                SocketReceiver::new(address, move |stream, handle| read_lines::read(stream, options, handle));
            Arc::new(ReceivedSource::new("Socket stream", receiver, context))
        })
    }

    /// The address as it was written; one that makes no sense is kept as an error of the graph.
    fn address(&self, text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|error| {
            self.inner.scope.reject(error);
            Address::default()
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
