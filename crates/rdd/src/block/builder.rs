// SPDX-License-Identifier: Apache-2.0
//! Makes a kept block chunk by chunk, moves it to disk when memory is short, and gives the records back when there is
//! no room at all.

use std::{mem, sync::Arc, vec};

use super::{
    content::{BlockFile, Content, Frames},
    kept::{BlockName, KeptBlock},
    memory::Reservation,
    policy::{Codec, Policy},
};
use crate::{
    chunk::{BoxChunks, Chunks, Resting},
    context::RddContext,
    error::TaskError,
    event::EngineEvent,
    record::Data,
    scheduler::task::TaskContext,
};

/// A block that is being made.
pub(crate) struct Builder<T> {
    context: RddContext,
    name: BlockName,
    policy: Policy<T>,
    records: usize,
    memory: Reservation,
    parts: Parts<T>,
}

enum Parts<T> {
    Records(Vec<Vec<T>>),
    Frames(Frames, Codec<T>),
    File(BlockFile, Codec<T>),
}

impl<T: Data> Builder<T> {
    pub(crate) fn new(context: &RddContext, name: BlockName, policy: Policy<T>) -> Result<Self, TaskError> {
        let memory = context.memory().reserve_for(name.rdd.0, 0).expect("nothing is always free");
        let parts = match (policy.in_memory, policy.on_disk) {
            (Some(codec), _) => Parts::Frames(Vec::new(), codec),
            (None, Some(codec)) if !policy.level.uses_memory() => Parts::File(new_file(context)?, codec),
            _ => Parts::Records(Vec::new()),
        };
        Ok(Self { context: context.clone(), name, policy, records: 0, memory, parts })
    }

    /// The block of records that are all there already and belong to nobody else, if they are kept as they are and memory
    /// has room. The builder has nothing in it before and afterwards.
    pub(crate) fn whole(&mut self, records: &Resting<T>) -> Option<KeptBlock<T>> {
        let bytes = records.iter().map(|chunk| (self.policy.measure)(chunk) + size_of::<Vec<T>>()).sum();
        let as_they_are = matches!(self.parts, Parts::Records(_)) && Arc::strong_count(records) == 1;
        if !as_they_are || !self.memory.try_grow(bytes) {
            return None;
        }
        let nothing = self.context.memory().reserve_for(self.name.rdd.0, 0).expect("nothing is always free");
        let memory = mem::replace(&mut self.memory, nothing);
        let content = Content::Records(Arc::clone(records));
        let count = records.iter().map(Vec::len).sum();
        Some(KeptBlock::from_parts(self.context.clone(), self.name, self.policy, count, content, memory))
    }

    /// Takes a chunk out of `chunk` and adds it, or leaves it there if it has no room, which is false, or cannot be
    /// written; then the block cannot be finished.
    pub(crate) fn append(&mut self, chunk: &mut Vec<T>) -> Result<bool, TaskError> {
        let added = self.take(chunk) || self.append_encoded(chunk)?;
        if added {
            chunk.clear();
        }
        Ok(added)
    }

    /// Takes records as they are, if they are kept so and memory has room.
    pub(super) fn take(&mut self, chunk: &mut Vec<T>) -> bool {
        let Parts::Records(chunks) = &mut self.parts else { return false };
        if chunk.is_empty() {
            return true;
        }
        let fits = self.memory.try_grow((self.policy.measure)(chunk) + size_of::<Vec<T>>());
        if fits {
            chunk.shrink_to_fit();
            self.records += chunk.len();
            chunks.push(mem::take(chunk));
        }
        fits
    }

    /// Adds the encoded form of a chunk; false if it has no room.
    pub(super) fn append_encoded(&mut self, chunk: &[T]) -> Result<bool, TaskError> {
        if chunk.is_empty() {
            return Ok(true);
        }
        match &mut self.parts {
            Parts::File(file, codec) => file.append(chunk, *codec)?,
            Parts::Records(_) => {
                let Some(codec) = self.policy.on_disk else { return Ok(false) };
                let mut file = self.write_out(codec)?;
                file.append(chunk, codec)?;
                self.go_on_in(file, codec);
            }
            Parts::Frames(frames, codec) => {
                let mut frame = Vec::new();
                (codec.encode)(chunk, self.context.options().compression(), &mut frame)
                    .map_err(|error| TaskError::Other(error.into()))?;
                if self.memory.try_grow(frame.len() + size_of::<Box<[u8]>>()) {
                    frames.push(frame.into_boxed_slice());
                } else {
                    let Some(codec) = self.policy.on_disk else { return Ok(false) };
                    let mut file = self.write_out(codec)?;
                    file.append_frame(&frame)?;
                    self.go_on_in(file, codec);
                }
            }
        }
        self.records += chunk.len();
        Ok(true)
    }

    /// Copies what is in memory to a file.
    fn write_out(&self, codec: Codec<T>) -> Result<BlockFile, TaskError> {
        let mut file = new_file(&self.context)?;
        match &self.parts {
            Parts::Records(chunks) => chunks.iter().try_for_each(|chunk| file.append(chunk, codec))?,
            Parts::Frames(frames, _) => frames.iter().try_for_each(|frame| file.append_frame(frame))?,
            Parts::File(..) => {}
        }
        Ok(file)
    }

    /// Gives up the memory for a file.
    fn go_on_in(&mut self, file: BlockFile, codec: Codec<T>) {
        let bytes = self.memory.bytes();
        self.parts = Parts::File(file, codec);
        self.memory.shrink(bytes);
        let name = self.name;
        self.context.events().post(|| EngineEvent::Spilled { what: name.to_string(), bytes: bytes as u64 });
    }

    /// The block. It cannot be evicted before [`KeptBlock::make_evictable`].
    pub(crate) fn finish(self) -> Result<KeptBlock<T>, TaskError> {
        let Self { context, name, policy, records, memory, parts } = self;
        let content = match parts {
            Parts::Records(chunks) => Content::Records(Arc::new(chunks)),
            Parts::Frames(frames, codec) => Content::Frames(Arc::new(frames), codec),
            Parts::File(file, codec) => Content::File(file.finish()?, codec),
        };
        Ok(KeptBlock::from_parts(context, name, policy, records, content, memory))
    }

    /// Gives back the records of a block that has no room: those collected, then `chunk`, then those of `rest`.
    pub(crate) fn give_back(
        self,
        chunk: Vec<T>,
        rest: Option<BoxChunks<T>>,
        task: &TaskContext,
    ) -> BoxChunks<T> {
        let (records, frames) = match self.parts {
            Parts::Records(chunks) => (chunks, None),
            Parts::Frames(frames, codec) => (Vec::new(), Some((frames.into_iter(), codec))),
            // A file has room until it fails.
            Parts::File(..) => (Vec::new(), None),
        };
        Box::new(GivenBack {
            frames,
            records: records.into_iter(),
            chunk: Some(chunk),
            rest,
            memory: Some(self.memory),
            task: task.clone(),
        })
    }
}

fn new_file(context: &RddContext) -> Result<BlockFile, TaskError> {
    BlockFile::create(context.disk(), context.options().compression())
}

/// Records that were collected in vain, so that they need not be computed twice.
struct GivenBack<T> {
    frames: Option<(<Frames as IntoIterator>::IntoIter, Codec<T>)>,
    records: vec::IntoIter<Vec<T>>,
    chunk: Option<Vec<T>>,
    /// None when the input has ended.
    rest: Option<BoxChunks<T>>,
    /// Held until the collected records are gone.
    memory: Option<Reservation>,
    task: TaskContext,
}

impl<T: Data> Chunks<T> for GivenBack<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        if let Some((frames, codec)) = &mut self.frames
            && let Some(frame) = frames.next()
        {
            (codec.decode)(&frame, out).map_err(|error| TaskError::Other(error.into()))?;
            return Ok(true);
        }
        if let Some(mut records) = self.records.next().or_else(|| self.chunk.take()) {
            out.append(&mut records);
            return Ok(true);
        }
        self.memory = None;
        match &mut self.rest {
            Some(rest) => rest.next_chunk(out),
            None => Ok(false),
        }
    }
}
