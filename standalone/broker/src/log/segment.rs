//! One segment: a file named after the offset of its first record, holding whole batches end to end.
//!
//! The sparse index is kept in memory and made by walking the batch headers: for the newest segment when it is opened,
//! for an older one when it is first read. There is no index on disk that could disagree with the log.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::batch::{self, BatchError, Header};

/// About this many bytes of log per index entry.
const INDEX_INTERVAL_BYTES: u64 = 32 * 1024;
/// How much of a file a walk reads at once.
const WINDOW_BYTES: usize = 64 * 1024;

/// Ends with this, after the base offset in 20 digits.
const SUFFIX: &str = ".log";

/// A place between two batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The offset of the record after it.
    pub offset: i64,
    /// Bytes from the start of the file.
    pub position: u64,
}

#[derive(Debug)]
struct Index {
    /// Batch starts, ascending, the first batch among them.
    entries: Vec<Place>,
}

impl Index {
    fn note(&mut self, batch: Place) {
        let due = self
            .entries
            .last()
            .is_none_or(|last| batch.position >= last.position + INDEX_INTERVAL_BYTES);
        if due {
            self.entries.push(batch);
        }
    }

    /// The nearest known batch start that is not past `offset`.
    fn floor(&self, offset: i64) -> Option<Place> {
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        after.checked_sub(1).map(|at| self.entries[at])
    }

    /// The nearest known batch start that is not past `position`.
    fn floor_of_position(&self, position: u64) -> Option<Place> {
        let places = &self.entries;
        let after = places.partition_point(|entry| entry.position <= position);
        after.checked_sub(1).map(|at| places[at])
    }
}

#[derive(Debug)]
pub(super) struct Segment {
    /// The offset of the first record it holds or will hold.
    pub base_offset: i64,
    path: PathBuf,
    file: File,
    /// `None` until the segment is first read.
    index: Mutex<Option<Index>>,
}

impl Segment {
    /// Makes an empty segment.
    pub(super) fn create(dir: &Path, base_offset: i64) -> io::Result<Self> {
        let path = dir.join(file_name(base_offset));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        let index = Mutex::new(Some(Index {
            entries: Vec::new(),
        }));
        Ok(Self {
            base_offset,
            path,
            file,
            index,
        })
    }

    /// Opens an older, complete segment.
    pub(super) fn open(dir: &Path, base_offset: i64) -> io::Result<Self> {
        let path = dir.join(file_name(base_offset));
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Self {
            base_offset,
            path,
            file,
            index: Mutex::new(None),
        })
    }

    /// Opens the newest segment: checks every batch, cuts off what is not a whole valid one, and says where it ends.
    pub(super) fn open_newest(dir: &Path, base_offset: i64) -> io::Result<(Self, Place)> {
        let segment = Self::open(dir, base_offset)?;
        let bytes = segment.file.metadata()?.len();
        let mut index = Index {
            entries: Vec::new(),
        };
        let mut end = Place {
            offset: base_offset,
            position: 0,
        };
        let mut walk = Walk::new(&segment.file, bytes);
        let error = loop {
            let header = match walk.batch(end.position)? {
                Ok(None) => break None,
                Ok(Some(header)) => header,
                Err(error) => break Some(error),
            };
            if header.base_offset != end.offset {
                break Some(BatchError::Header("not the next offset"));
            }
            index.note(end);
            end = Place {
                offset: header.next_offset(),
                position: end.position + header.bytes as u64,
            };
        };
        if let Some(error) = error {
            tracing::warn!(
                segment = %segment.path.display(),
                next_offset = end.offset,
                bytes_cut = bytes - end.position,
                "cut off the end of the log, a write that was not finished: {error}",
            );
            segment.file.set_len(end.position)?;
            segment.file.sync_all()?;
        }
        *segment.lock_index() = Some(index);
        Ok((segment, end))
    }

    /// Writes whole batches at `end`, which becomes readable only by what the caller then says of the end.
    pub(super) fn write(&self, end: Place, batches: &[u8]) -> io::Result<()> {
        self.file
            .write_all_at(batches, end.position)
            .inspect_err(|_| {
                // The next write starts here again; what is left must not look like a batch when the log is next opened.
                let _ = self.file.set_len(end.position);
            })
    }

    /// Takes note of a batch just written.
    pub(super) fn note(&self, batch: Place) {
        if let Some(index) = self.lock_index().as_mut() {
            index.note(batch);
        }
    }

    /// The start of the batch that holds `offset`, which is in this segment below `end`.
    pub(super) fn locate(&self, offset: i64, end_position: u64) -> io::Result<Place> {
        let mut place = self.floor(offset, end_position)?;
        let mut walk = Walk::new(&self.file, end_position);
        loop {
            let header = walk.header(place.position)?;
            if header.next_offset() > offset {
                return Ok(place);
            }
            place = Place {
                offset: header.next_offset(),
                position: place.position + header.bytes as u64,
            };
        }
    }

    /// Reads whole batches from `start` on: up to `bytes_max`, but at least one. Says where they end.
    pub(super) fn read(
        &self,
        start: Place,
        end: Place,
        bytes_max: usize,
    ) -> io::Result<(Vec<u8>, Place)> {
        let left = (end.position - start.position) as usize;
        if left <= bytes_max {
            return Ok((self.read_at(start.position, left)?, end));
        }
        // Where a large batch begins is known: nothing is read that is not returned.
        let known = self.floor_of_position(start.position + bytes_max as u64);
        if let Some(end) = known.filter(|end| end.position > start.position) {
            let bytes = (end.position - start.position) as usize;
            return Ok((self.read_at(start.position, bytes)?, end));
        }
        let mut bytes = self.read_at(start.position, bytes_max)?;
        let mut next = start;
        let mut whole = 0;
        for batch in batch::headers(&bytes) {
            let (header, range) = batch.map_err(corrupt)?;
            whole = range.end;
            next = Place {
                offset: header.next_offset(),
                position: start.position + range.end as u64,
            };
        }
        if whole == 0 {
            let header = Walk::new(&self.file, end.position).header(start.position)?;
            next = Place {
                offset: header.next_offset(),
                position: start.position + header.bytes as u64,
            };
            return Ok((self.read_at(start.position, header.bytes)?, next));
        }
        bytes.truncate(whole);
        Ok((bytes, next))
    }

    /// Reads exactly up to `bytes_max` bytes, wherever in a batch that is.
    pub(super) fn read_cut(
        &self,
        start: Place,
        end: Place,
        bytes_max: usize,
    ) -> io::Result<Vec<u8>> {
        let left = (end.position - start.position) as usize;
        self.read_at(start.position, left.min(bytes_max))
    }

    /// A position near and not after the batch that holds `offset`; 0 when the index isn't made yet.
    pub(super) fn nearest_position(&self, offset: i64) -> u64 {
        let index = self.lock_index();
        index
            .as_ref()
            .and_then(|index| index.floor(offset))
            .map_or(0, |place| place.position)
    }

    /// Visits the headers of all batches below `end_position`, in order.
    pub(super) fn for_each_header(
        &self,
        end_position: u64,
        mut visit: impl FnMut(Place, Header) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut walk = Walk::new(&self.file, end_position);
        let mut position = 0;
        while position < end_position {
            let header = walk.header(position)?;
            if visit(
                Place {
                    offset: header.base_offset,
                    position,
                },
                header,
            )
            .is_break()
            {
                break;
            }
            position += header.bytes as u64;
        }
        Ok(())
    }

    /// Bytes in the file.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// When the file was last written.
    pub(super) fn modified(&self) -> io::Result<SystemTime> {
        self.file.metadata()?.modified()
    }

    /// Makes what was written survive the machine.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Removes the file, if it is still there; those who still read it can finish.
    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn floor(&self, offset: i64, end_position: u64) -> io::Result<Place> {
        let mut index = self.lock_index();
        if index.is_none() {
            let mut made = Index {
                entries: Vec::new(),
            };
            self.for_each_header(end_position, |place, _| {
                made.note(place);
                ControlFlow::Continue(())
            })?;
            *index = Some(made);
        }
        let floor = index.as_ref().and_then(|index| index.floor(offset));
        Ok(floor.unwrap_or(Place {
            offset: self.base_offset,
            position: 0,
        }))
    }

    fn floor_of_position(&self, position: u64) -> Option<Place> {
        self.lock_index().as_ref()?.floor_of_position(position)
    }

    fn read_at(&self, position: u64, bytes: usize) -> io::Result<Vec<u8>> {
        // Not cleared first, which would cost half as much as reading.
        let mut out = Vec::with_capacity(bytes);
        while out.len() < bytes {
            let position = position + out.len() as u64;
            match rustix::io::pread(&self.file, spare_capacity(&mut out), position) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        out.truncate(bytes);
        Ok(out)
    }

    fn lock_index(&self) -> MutexGuard<'_, Option<Index>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The base offsets of the segments in `dir`, ascending.
pub(super) fn list(dir: &Path) -> io::Result<Vec<i64>> {
    let mut offsets = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        offsets.extend(digits.and_then(|digits| digits.parse::<i64>().ok()));
    }
    offsets.sort_unstable();
    Ok(offsets)
}

fn file_name(base_offset: i64) -> String {
    format!("{base_offset:020}{SUFFIX}")
}

fn corrupt(error: BatchError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Reads headers and batches of a file through a window, so that small batches don't cost a system call each.
struct Walk<'a> {
    file: &'a File,
    end: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> Walk<'a> {
    fn new(file: &'a File, end: u64) -> Self {
        Self {
            file,
            end,
            window: Vec::new(),
            window_start: 0,
        }
    }

    /// Up to `bytes` bytes at `position`; fewer only at the end of the file.
    fn bytes(&mut self, position: u64, bytes: usize) -> io::Result<&[u8]> {
        let left = self.end.saturating_sub(position);
        let bytes = left.min(bytes as u64) as usize;
        let window_end = self.window_start + self.window.len() as u64;
        if position < self.window_start || position + bytes as u64 > window_end {
            self.window
                .resize(left.min(bytes.max(WINDOW_BYTES) as u64) as usize, 0);
            self.window_start = position;
            self.file.read_exact_at(&mut self.window, position)?;
        }
        let start = (position - self.window_start) as usize;
        Ok(&self.window[start..start + bytes])
    }

    fn header(&mut self, position: u64) -> io::Result<Header> {
        Header::read(self.bytes(position, batch::HEADER_BYTES)?).map_err(corrupt)
    }

    /// The batch at `position`, checked whole; `None` at the end of the file.
    fn batch(&mut self, position: u64) -> io::Result<Result<Option<Header>, BatchError>> {
        if position == self.end {
            return Ok(Ok(None));
        }
        let header = match Header::read(self.bytes(position, batch::HEADER_BYTES)?) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Header::check(self.bytes(position, header.bytes)?).map(Some))
    }
}
