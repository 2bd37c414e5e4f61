// SPDX-License-Identifier: Apache-2.0
//! The 24 bytes of a `Text`: inline up to 23 bytes of UTF-8, else a slice of a counted shared string.
//! All unsafe code of the crate is in this file.

use std::num::NonZeroU64;
use std::ops::Range;
use std::process::abort;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// The longest string, in bytes, that is stored without a block.
pub(super) const INLINE: usize = 23;

/// All bytes of a `Repr`.
const SIZE: usize = INLINE + 1;
/// The tag of the shared form; an inline string of `n` bytes has the tag `n + 1`.
const SHARED: u8 = u8::MAX;
/// Where the tag is in the last word, as a little-endian number.
const TAG: u32 = 56;
/// The low seven bytes of the last word: the length of the shared form.
const LENGTH: u64 = u64::MAX >> 8;
/// How many words are between the two pointers and the last eight bytes: none where pointers have eight.
const PAD: usize = (SIZE - size_of::<u64>()) / size_of::<usize>() - 2;

/// For each length of an inline string, the bits of the three words that hold it.
static MASKS: [[u64; SIZE / 8]; SIZE] = {
    let mut masks = [[0; SIZE / 8]; SIZE];
    let mut length = 0;
    while length < SIZE {
        let mut byte = 0;
        while byte < length {
            masks[length][byte / 8] |= 0xff << (byte % 8 * 8);
            byte += 1;
        }
        length += 1;
    }
    masks
};

/// The last word of a string with this tag, which is not zero, and length.
const fn last(tag: u8, length: usize) -> NonZeroU64 {
    let word = (tag as u64) << TAG | (length as u64 & LENGTH);
    NonZeroU64::new(word.to_le()).expect("no tag is zero")
}

/// A string in one of two forms, told apart by the last byte.
///
/// Invariants, on which every `unsafe` block below rests:
/// 1. Inline (`tag <= 24`): the first `tag - 1` bytes of `self` are UTF-8, all others up to the tag are zero.
/// 2. Shared (`tag == SHARED`): `block` is alive and one of its counts belongs to this value; `data` and the
///    length name a range of the block's text that lies on character boundaries.
/// 3. Strings of up to `INLINE` bytes are always inline, longer ones never; equal strings have equal tags.
///
/// All fields are whole words, so that a copy is made in registers: single bytes that are written and then read as part
/// of a word cost as much as a dozen instructions.
#[repr(C)]
pub(super) struct Repr {
    data: *const u8,
    block: *const Block,
    pad: [usize; PAD],
    /// Seven bytes, and the tag as the last in memory.
    last: NonZeroU64,
}

const _: () = assert!(size_of::<Repr>() == SIZE && size_of::<Option<Repr>>() == SIZE);

// SAFETY: a `Repr` is a value or a counted reference to an immutable string, and the count is atomic.
unsafe impl Send for Repr {}
// SAFETY: as above; nothing is changed through a shared reference but the atomic count.
unsafe impl Sync for Repr {}

impl Repr {
    /// The empty string.
    pub(super) const EMPTY: Self =
        Self { data: ptr::null(), block: ptr::null(), pad: [0; PAD], last: last(1, 0) };

    /// Copies `text`: to the inside of the value if it is short, else to a block of its own.
    #[inline]
    pub(super) fn new(text: &str) -> Self {
        if text.len() <= INLINE { Self::inline(text) } else { Self::from_string(text.to_owned()) }
    }

    /// Takes over the memory of `text`, unless it is short.
    pub(super) fn from_string(text: String) -> Self {
        if text.len() <= INLINE {
            return Self::inline(&text);
        }
        let shared = SharedStr::new(text);
        let whole = shared.as_str();
        // SAFETY: the one count of the new block passes from `shared`, which is forgotten, to the result.
        let repr = unsafe { Self::shared(shared.0, whole) };
        std::mem::forget(shared);
        repr
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        let (data, len) = if self.is_shared() {
            (self.data, self.shared_len())
        } else {
            (ptr::from_ref(self).cast::<u8>(), usize::from(self.tag() - 1))
        };
        // SAFETY: by invariant 1 or 2 these bytes are initialised UTF-8, and they live and stay unchanged as
        // long as `self` is borrowed. The inline bytes are within `self`, from whose address `data` is made.
        unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(data, len)) }
    }

    /// The part `range` of this string; shares the block unless it is short.
    ///
    /// # Panics
    ///
    /// If `range` is out of bounds or not on character boundaries, as with `str`.
    #[inline]
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let part = &self.as_str()[range];
        if part.len() <= INLINE {
            return Self::inline(part);
        }
        // A part longer than `INLINE` can only come from a shared string.
        let block = NonNull::new(self.block.cast_mut()).expect("a long string has a block");
        // SAFETY: `self` holds a count, so the block is alive.
        unsafe { block.as_ref() }.retain(1);
        // SAFETY: the count just taken passes to the result, and `part` lies in the block's text.
        unsafe { Self::shared(block, part) }
    }

    /// The whole text of which this string is a part, and which part it is. An inline string is its own whole.
    #[inline]
    pub(super) fn widen(mut self) -> (Self, Range<usize>) {
        if !self.is_shared() {
            let range = 0..self.as_str().len();
            return (self, range);
        }
        // SAFETY: by invariant 2 the block is alive.
        let whole = unsafe { &*self.block }.text.as_str();
        let start = self.data.addr() - whole.as_ptr().addr();
        let range = start..start + self.shared_len();
        // The whole is at least as long as this string, so the form stays the shared one.
        self.data = whole.as_ptr();
        self.last = last(SHARED, whole.len());
        (self, range)
    }

    /// The short string `text[start..end]`, which must be on character boundaries of `text`.
    ///
    /// Where `text` goes on for a while, a fixed number of bytes is read and masked: that is several times
    /// cheaper than a copy of unknown length, and short words within long lines are the common case.
    ///
    /// # Panics
    ///
    /// If the range is out of bounds, off a character boundary, or longer than `INLINE`.
    #[inline]
    pub(super) fn short(text: &str, start: usize, end: usize) -> Self {
        let part = &text[start..end];
        let Some(bytes) = text.as_bytes().get(start..start + SIZE) else { return Self::inline(part) };
        let masks = &MASKS[part.len()];
        let mut inline = [0; SIZE];
        for ((kept, word), mask) in inline.chunks_exact_mut(8).zip(bytes.chunks_exact(8)).zip(masks) {
            let word = u64::from_le_bytes(word.try_into().expect("chunks of eight bytes"));
            kept.copy_from_slice(&(word & mask).to_le_bytes());
        }
        // SAFETY: the first `part.len()` bytes are those of `part`, the mask has cleared the others.
        unsafe { Self::from_inline(inline, part.len()) }
    }

    #[inline]
    fn inline(text: &str) -> Self {
        let mut inline = [0; SIZE];
        inline[..INLINE][..text.len()].copy_from_slice(text.as_bytes());
        // SAFETY: the bytes are those of a `str`, followed by zeros.
        unsafe { Self::from_inline(inline, text.len()) }
    }

    /// # Safety
    ///
    /// The first `len` bytes, at most `INLINE`, must be UTF-8 and all others zero.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "at most INLINE")]
    unsafe fn from_inline(mut bytes: [u8; SIZE], len: usize) -> Self {
        bytes[INLINE] = len as u8 + 1;
        // SAFETY: the sizes are equal, pointers and bytes may have any value, and the tag is not zero.
        unsafe { std::mem::transmute::<[u8; SIZE], Self>(bytes) }
    }

    /// # Safety
    ///
    /// `part` must lie within the text of `block`, be longer than `INLINE`, and the caller hands over a count.
    #[inline]
    unsafe fn shared(block: NonNull<Block>, part: &str) -> Self {
        // The pointer is taken from the block, not from `part`, whose borrow may end before the result does.
        // SAFETY: the caller vouches for the block.
        let text = unsafe { block.as_ref() }.text.as_bytes();
        let offset = part.as_ptr().addr() - text.as_ptr().addr();
        let data = text[offset..].as_ptr();
        Self { data, block: block.as_ptr(), pad: [0; PAD], last: last(SHARED, part.len()) }
    }

    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        self.tag() == SHARED
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the other bytes are shifted out")]
    fn tag(&self) -> u8 {
        (u64::from_le(self.last.get()) >> TAG) as u8
    }

    /// The bytes of the whole block that this string keeps in memory; zero for an inline string.
    pub(super) fn block_len(&self) -> usize {
        // SAFETY: by invariant 2 the block of a shared string is alive.
        if self.is_shared() { unsafe { &*self.block }.text.capacity() } else { 0 }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "it was made from a usize")]
    fn shared_len(&self) -> usize {
        (self.word(2) & LENGTH) as usize
    }

    /// Word `index` of three of the 24 bytes.
    #[inline]
    fn word(&self, index: usize) -> u64 {
        debug_assert!(index < SIZE / 8, "a Repr has three words");
        // SAFETY: the read is within `self`, all of whose bytes are initialised.
        let word = unsafe { ptr::from_ref(self).cast::<u64>().add(index).read_unaligned() };
        u64::from_le(word)
    }
}

impl Clone for Repr {
    #[inline]
    fn clone(&self) -> Self {
        if self.is_shared() {
            // SAFETY: by invariant 2 the block is alive; the new count belongs to the copy.
            unsafe { &*self.block }.retain(1);
        }
        Self { data: self.data, block: self.block, pad: self.pad, last: self.last }
    }
}

impl Drop for Repr {
    #[inline]
    fn drop(&mut self) {
        if self.is_shared() {
            // SAFETY: by invariant 2 one count is ours, and `self` is not used again.
            unsafe { Block::release(self.block.cast_mut(), 1) };
        }
    }
}

impl PartialEq for Repr {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // The last word has the tag and the length: by invariant 3 it differs where the lengths do.
        if self.word(2) != other.word(2) {
            return false;
        }
        if self.is_shared() {
            return ptr::eq(self.data, other.data) || self.as_str() == other.as_str();
        }
        self.word(0) == other.word(0) && self.word(1) == other.word(1)
    }
}

/// A string with a count of the references to it.
struct Block {
    count: AtomicUsize,
    text: String,
}

impl Block {
    /// Takes `n` more counts; the caller holds one already.
    #[inline]
    fn retain(&self, n: usize) {
        // A new reference is only made from an old one, so nothing needs to be ordered before it.
        let before = self.count.fetch_add(n, Ordering::Relaxed);
        if before > isize::MAX as usize {
            // The references were leaked by the quintillion; a wrapped count would free memory in use.
            abort();
        }
    }

    /// Gives `n` counts back, and the block when they were the last.
    ///
    /// # Safety
    ///
    /// `block` is alive, `n` counts belong to the caller, who does not use the block afterwards.
    #[inline]
    unsafe fn release(block: *mut Self, n: usize) {
        // SAFETY: the caller holds counts, so the block is alive.
        if unsafe { &*block }.count.fetch_sub(n, Ordering::Release) == n {
            // All uses by other threads happened before their release, and now before the drop.
            fence(Ordering::Acquire);
            // SAFETY: the last counts are gone, so nobody else can reach the block, which came from a `Box`.
            drop(unsafe { Box::from_raw(block) });
        }
    }
}

/// A counted reference to a whole shared string.
pub(super) struct SharedStr(NonNull<Block>);

// SAFETY: a counted reference to an immutable string, and the count is atomic.
unsafe impl Send for SharedStr {}
// SAFETY: as above.
unsafe impl Sync for SharedStr {}

impl SharedStr {
    pub(super) fn new(text: String) -> Self {
        Self(NonNull::from(Box::leak(Box::new(Block { count: AtomicUsize::new(1), text }))))
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        // SAFETY: `self` holds a count, so the block is alive.
        &unsafe { self.0.as_ref() }.text
    }

    /// Starts to hand out slices of this string, whose counts are taken `bulk` at a time.
    pub(super) fn slices(&self, bulk: usize) -> Slices<'_> {
        Slices { shared: self, bulk: bulk.max(1), counts: 0 }
    }
}

impl Clone for SharedStr {
    fn clone(&self) -> Self {
        // SAFETY: `self` holds a count, so the block is alive; the new count belongs to the copy.
        unsafe { self.0.as_ref() }.retain(1);
        Self(self.0)
    }
}

impl Drop for SharedStr {
    fn drop(&mut self) {
        // SAFETY: the count belongs to `self`, which is not used again.
        unsafe { Block::release(self.0.as_ptr(), 1) };
    }
}

/// Hands out slices of one shared string with one atomic operation for many of them.
pub(super) struct Slices<'a> {
    shared: &'a SharedStr,
    bulk: usize,
    /// Counts that were taken and not yet handed out.
    counts: usize,
}

impl Slices<'_> {
    /// The part `range` of the shared string.
    ///
    /// # Panics
    ///
    /// If `range` is out of bounds or not on character boundaries, as with `str`.
    #[inline]
    pub(super) fn slice(&mut self, range: Range<usize>) -> Repr {
        let text = self.shared.as_str();
        if range.len() <= INLINE {
            return Repr::short(text, range.start, range.end);
        }
        let part = &text[range];
        if self.counts == 0 {
            // SAFETY: `shared` holds a count, so the block is alive.
            unsafe { self.shared.0.as_ref() }.retain(self.bulk);
            self.counts = self.bulk;
        }
        self.counts -= 1;
        // SAFETY: one of the counts taken in bulk passes to the result, and `part` lies in the block's text.
        unsafe { Repr::shared(self.shared.0, part) }
    }
}

impl Drop for Slices<'_> {
    fn drop(&mut self) {
        if self.counts > 0 {
            // SAFETY: these counts were taken and not handed out.
            unsafe { Block::release(self.shared.0.as_ptr(), self.counts) };
        }
    }
}
