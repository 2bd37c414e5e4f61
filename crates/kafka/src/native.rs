// SPDX-License-Identifier: Apache-2.0
//! `PartitionQueue`: takes the records of one partition from librdkafka a thousand at a time, which is about twice as fast
//! as one by one. All unsafe code of the crate is in this file.
#![allow(
    unsafe_code,
    reason = "rd_kafka_consume_batch_queue and the messages that it gives have no safe interface"
)]

use std::{
    ffi::{CStr, CString},
    ptr::{self, NonNull},
    slice,
    sync::Arc,
    time::Duration,
};

use rdkafka::{consumer::Consumer as _, types::RDKafkaErrorCode};
use rdkafka_sys as sys;

use crate::{client::Client, record::BlockBuilder};

/// How many records are taken at a time.
const TAKEN: usize = 1024;

/// The queue of a partition, apart from those of other partitions of the client.
///
/// Invariants, on which every `unsafe` block below rests:
/// 1. `queue` is a reference of our own to a queue of `client`, given back when this is dropped, before `client`.
/// 2. `taken[next..]` are messages of that queue that nobody else knows of, not destroyed yet; those before are.
pub(crate) struct PartitionQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    taken: Vec<NonNull<sys::rd_kafka_message_t>>,
    next: usize,
    client: Arc<Client>,
}

// SAFETY: librdkafka's queues and messages may be used from any thread, and `&mut self` keeps them to one at a time.
unsafe impl Send for PartitionQueue {}

/// What comes next from a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    /// A record.
    Record { offset: i64 },
    /// An error, or the news that the end of the partition was reached at this offset.
    Event { code: RDKafkaErrorCode, offset: i64 },
}

impl PartitionQueue {
    /// The queue of a partition. Called before the partition is assigned, so that nothing of it goes to the queue that
    /// all partitions of a client share.
    pub(crate) fn open(client: &Arc<Client>, topic: &str, partition: i32) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client is alive and `topic` a C string; the result is a reference for us, or null.
        let queue = unsafe {
            sys::rd_kafka_queue_get_partition(client.client().native_ptr(), topic.as_ptr(), partition)
        };
        let queue = NonNull::new(queue)?;
        // SAFETY: the queue is alive; without a destination it keeps what comes.
        unsafe { sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut()) };
        Some(Self { queue, taken: Vec::new(), next: 0, client: Arc::clone(client) })
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// What comes next, waiting for it for at most `timeout`.
    pub(crate) fn front(&mut self, timeout: Duration) -> Option<Front> {
        if self.next == self.taken.len() {
            self.refill(timeout);
        }
        let message = self.peek()?;
        let offset = message.offset;
        Some(match message.err {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Front::Record { offset },
            error => Front::Event { code: error.into(), offset },
        })
    }

    /// Moves what comes next into `block` if it is a record, else drops it.
    pub(crate) fn take(&mut self, block: Option<&mut BlockBuilder>) {
        let (Some(message), Some(&raw)) = (self.peek(), self.taken.get(self.next)) else { return };
        if let Some(block) = block {
            let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            // SAFETY: by invariant 2 the message is alive.
            let timestamp = unsafe { sys::rd_kafka_message_timestamp(message, &raw mut kind) };
            let timestamp = (kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
                .then_some(timestamp);
            // SAFETY: a message has as many bytes of key and payload as it says, or a null pointer.
            let (key, value) =
                unsafe { (bytes(message.key, message.key_len), bytes(message.payload, message.len)) };
            block.push(message.offset, timestamp, key, value);
            Self::take_headers(message, block);
        }
        self.next += 1;
        // SAFETY: by invariant 2 the message is ours; `next` has just passed it, and nothing of it is borrowed any more.
        unsafe { sys::rd_kafka_message_destroy(raw.as_ptr()) };
    }

    fn take_headers(message: &sys::rd_kafka_message_t, block: &mut BlockBuilder) {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive; the headers belong to it and live as long.
        let found = unsafe { sys::rd_kafka_message_headers(message, &raw mut headers) };
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return;
        }
        for index in 0.. {
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers are alive, and the other arguments are places for the results.
            let found = unsafe {
                sys::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut length)
            };
            if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            // SAFETY: a header that was found has a C string as its name, and a value of that length or none.
            let (name, value) = unsafe { (CStr::from_ptr(name), bytes(value.cast_mut(), length)) };
            block.push_header(&name.to_string_lossy(), value);
        }
    }

    fn peek(&self) -> Option<&sys::rd_kafka_message_t> {
        // SAFETY: by invariant 2 the message is alive, and it is not destroyed while `self` is borrowed.
        self.taken.get(self.next).map(|message| unsafe { message.as_ref() })
    }

    /// Takes what is there; if nothing is, waits for the first and takes what came with it.
    fn refill(&mut self, timeout: Duration) {
        self.taken.clear();
        self.next = 0;
        self.consume(TAKEN, Duration::ZERO);
        if self.taken.is_empty() && !timeout.is_zero() {
            self.consume(1, timeout);
            self.consume(TAKEN - self.taken.len(), Duration::ZERO);
        }
    }

    fn consume(&mut self, limit: usize, timeout: Duration) {
        self.taken.reserve(limit);
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let free = self.taken.spare_capacity_mut().as_mut_ptr();
        // SAFETY: the queue is alive; there is room for `limit` pointers, and a `NonNull` has the form of one. As many as
        // the result says are written, none of them null.
        let taken =
            unsafe { sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), timeout, free.cast(), limit) };
        let taken = usize::try_from(taken).unwrap_or(0);
        // SAFETY: so many elements have just been written behind those that were there.
        unsafe { self.taken.set_len(self.taken.len() + taken) };
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        for message in self.taken.drain(self.next..) {
            // SAFETY: by invariant 2 the message is ours and alive.
            unsafe { sys::rd_kafka_message_destroy(message.as_ptr()) };
        }
        // SAFETY: by invariant 1 the reference is ours; the client is dropped after this.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// # Safety
///
/// `start` must be null, or have `length` bytes that stay as they are during `'a`.
unsafe fn bytes<'a>(start: *mut std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller vouches for it.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast(), length) })
}
