//! The log of one partition: its segments, its end, and a watch for readers.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fluvio_compression::Compression;
use tokio::sync::watch;

use super::batch::{self, BatchError, Header};
use super::folder::{self, sync_dir};
use super::segment::{self, Place, Segment};

/// What a topic's config says about storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionConfig {
    /// A segment is closed before it grows beyond this.
    pub segment_bytes_max: u64,
    /// Larger batches are refused.
    pub batch_bytes_max: usize,
    /// The oldest segments go when the partition is larger.
    pub partition_bytes_max: u64,
    /// A segment goes when nothing was written to it for this long.
    pub retention: Duration,
    /// The only codec taken, or any.
    pub compression: Option<Compression>,
}

/// What readers wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartitionState {
    /// The offset the next record will get.
    pub end_offset: i64,
    /// Set once, when the topic is deleted.
    pub deleted: bool,
}

/// Why batches were not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// The batches are not valid.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A batch is above the limit.
    #[error("a batch of {bytes} bytes is larger than the {bytes_max} this topic takes")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The topic takes one codec only, and this is another.
    #[error("this topic takes batches compressed with {only} only, not with {found}")]
    Compression {
        /// The topic's codec.
        only: Compression,
        /// That of the batch.
        found: Compression,
    },
    /// The topic is gone.
    #[error("the topic was deleted")]
    Deleted,
    /// What was written before may be lost, and a second sync would report success.
    #[error("an earlier write could not be made durable; check the disk, then restart the broker")]
    NotDurable,
    /// An I/O error.
    #[error("cannot write the log: {0}")]
    Io(#[from] io::Error),
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The offset was there once.
    #[error("offset {offset} is evicted, the log starts at {start_offset}")]
    Evicted {
        /// The offset asked for.
        offset: i64,
        /// Where the log starts.
        start_offset: i64,
    },
    /// The offset was never there.
    #[error("offset {offset} is beyond the end of the log, {end_offset}")]
    OutOfRange {
        /// The offset asked for.
        offset: i64,
        /// Where the log ends.
        end_offset: i64,
    },
    /// An I/O error.
    #[error("cannot read the log: {0}")]
    Io(#[from] io::Error),
}

/// Whole batches read from the log.
#[derive(Debug)]
pub(crate) struct Read {
    /// The batches; the first one holds the offset asked for.
    pub bytes: Bytes,
    /// Where to read on.
    pub next_offset: i64,
    /// Where the log started.
    pub start_offset: i64,
    /// Where the log ended.
    pub end_offset: i64,
}

/// Remembers where in a file its reader is, which saves the search for the next offset.
#[derive(Debug, Default)]
pub(crate) struct Cursor(Option<(Arc<Segment>, Place)>);

/// The log of one partition.
#[derive(Debug)]
pub(crate) struct Partition {
    dir: PathBuf,
    config: PartitionConfig,
    /// Held for appends (a write into the page cache) and look-ups, never across a read or an await.
    log: Mutex<Log>,
    state: watch::Sender<PartitionState>,
    /// Something was written since the last sync.
    dirty: AtomicBool,
    /// A sync has failed since the log was opened.
    sync_failed: AtomicBool,
}

#[derive(Debug)]
struct Log {
    /// Ascending; never empty.
    segments: Vec<Arc<Segment>>,
    /// The end of the newest segment.
    end: Place,
    /// Bytes in all older segments.
    older_bytes: u64,
    /// Reused from append to append.
    scratch: Vec<u8>,
}

impl Log {
    fn newest(&self) -> &Arc<Segment> {
        self.segments
            .last()
            .expect("a log has at least one segment")
    }

    fn start_offset(&self) -> i64 {
        self.segments[0].base_offset
    }

    /// The segment that holds `offset`, and where that segment ends.
    fn find(&self, offset: i64) -> io::Result<(Arc<Segment>, Place)> {
        let at = self
            .segments
            .partition_point(|segment| segment.base_offset <= offset)
            .saturating_sub(1);
        let segment = self.segments[at].clone();
        let end = match self.segments.get(at + 1) {
            Some(next) => Place {
                offset: next.base_offset,
                position: segment.bytes()?,
            },
            None => self.end,
        };
        Ok((segment, end))
    }
}

impl Partition {
    /// Opens the partition in `dir`, or makes it. A write that was not finished is cut off.
    pub(crate) fn open(dir: PathBuf, config: PartitionConfig) -> io::Result<Self> {
        folder::create_dir_all(&dir)?;
        let offsets = segment::list(&dir)?;
        let (segments, end) = match offsets.split_last() {
            None => (
                vec![Arc::new(Segment::create(&dir, 0)?)],
                Place {
                    offset: 0,
                    position: 0,
                },
            ),
            Some((newest, older)) => {
                let mut segments = Vec::with_capacity(offsets.len());
                for base_offset in older {
                    segments.push(Arc::new(Segment::open(&dir, *base_offset)?));
                }
                let (newest, end) = Segment::open_newest(&dir, *newest)?;
                segments.push(Arc::new(newest));
                (segments, end)
            }
        };
        sync_dir(&dir)?;
        let mut older_bytes = 0;
        for segment in &segments[..segments.len() - 1] {
            older_bytes += segment.bytes()?;
        }
        let state = PartitionState {
            end_offset: end.offset,
            deleted: false,
        };
        Ok(Self {
            dir,
            config,
            log: Mutex::new(Log {
                segments,
                end,
                older_bytes,
                scratch: Vec::new(),
            }),
            state: watch::Sender::new(state),
            dirty: AtomicBool::new(true),
            sync_failed: AtomicBool::new(false),
        })
    }

    /// The offset of the oldest record.
    pub(crate) fn start_offset(&self) -> i64 {
        self.lock().start_offset()
    }

    /// The offset the next record will get. Every record below it can be read.
    pub(crate) fn end_offset(&self) -> i64 {
        self.state.borrow().end_offset
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        let log = self.lock();
        log.older_bytes + log.end.position
    }

    /// Tells of every change of the end, and of the deletion.
    pub(crate) fn watch(&self) -> watch::Receiver<PartitionState> {
        self.state.subscribe()
    }

    /// Appends record sets, each one or more whole batches, with one write. Returns each set's base offset.
    ///
    /// Checks all before it writes any. Where a write fails, the sets of a segment filled before it may be in the log.
    pub(crate) fn append(&self, sets: &[Bytes]) -> Result<Vec<i64>, AppendError> {
        for set in sets {
            self.check(set)?;
        }
        let mut log = self.lock();
        let log = &mut *log;
        if self.state.borrow().deleted {
            return Err(AppendError::Deleted);
        }
        if self.sync_failed.load(Ordering::Acquire) {
            return Err(AppendError::NotDurable);
        }
        let mut base_offsets = Vec::with_capacity(sets.len());
        log.scratch.clear();
        let mut places = Vec::new();
        let mut next = log.end;
        for set in sets {
            base_offsets.push(next.offset);
            for batch in batch::headers(set) {
                let (header, range) = batch?;
                let full = next.position + header.bytes as u64 > self.config.segment_bytes_max;
                if full && next.position > 0 {
                    self.write(log, &places, next)?;
                    places.clear();
                    self.roll(log)?;
                    next = log.end;
                }
                places.push(next);
                log.scratch.extend_from_slice(&next.offset.to_be_bytes());
                log.scratch
                    .extend_from_slice(&set[range.start + 8..range.end]);
                next.offset = next
                    .offset
                    .checked_add(header.records())
                    .ok_or(BatchError::Header("no offsets left"))?;
                next.position += header.bytes as u64;
            }
        }
        self.write(log, &places, next)?;
        Ok(base_offsets)
    }

    /// Reads from `offset` on: whole batches up to `bytes_max`, but at least one. Empty at the end of the log.
    ///
    /// Reads the file; call it where blocking is allowed, or for few bytes.
    pub(crate) fn read(
        &self,
        cursor: &mut Cursor,
        offset: i64,
        bytes_max: usize,
    ) -> Result<Read, ReadError> {
        self.read_with(cursor, offset, |segment, start, end| {
            segment.read(start, end, bytes_max)
        })
    }

    /// As [`Partition::read`], but cut at exactly `bytes_max`, in the middle of a batch: what a Fluvio SPU answers.
    pub(crate) fn read_cut(&self, offset: i64, bytes_max: usize) -> Result<Read, ReadError> {
        self.read_with(&mut Cursor::default(), offset, |segment, start, end| {
            let bytes = segment.read_cut(start, end, bytes_max)?;
            Ok((bytes, end))
        })
    }

    /// An upper bound of the bytes from `offset` to the end of the log; `u64::MAX` if that is in an older segment.
    pub(crate) fn bytes_from_max(&self, offset: i64) -> u64 {
        let log = self.lock();
        if offset >= log.newest().base_offset {
            log.end.position - log.newest().nearest_position(offset)
        } else {
            u64::MAX
        }
    }

    /// The offset from which on every batch has a record at or after `timestamp_ms`; the end of the log if the last batch has
    /// none. Reads the headers of the files: call it where blocking is allowed.
    pub(crate) fn offset_since(&self, timestamp_ms: i64) -> io::Result<i64> {
        let (segments, end) = {
            let log = self.lock();
            (log.segments.clone(), log.end)
        };
        let mut since = end.offset;
        for segment in segments.iter().rev() {
            let is_newest = Arc::ptr_eq(segment, &segments[segments.len() - 1]);
            let end_position = if is_newest {
                end.position
            } else {
                segment.bytes()?
            };
            let mut from = None;
            let mut all = true;
            segment.for_each_header(end_position, |place, header| {
                if header.max_timestamp < timestamp_ms {
                    from = None;
                    all = false;
                } else if from.is_none() {
                    from = Some(place.offset);
                }
                ControlFlow::Continue(())
            })?;
            since = from.unwrap_or(since);
            if !all {
                break;
            }
        }
        Ok(since)
    }

    /// Removes segments that are too old or too much. Returns how many.
    pub(crate) fn evict(&self, now: SystemTime) -> io::Result<usize> {
        let mut evicted = 0;
        let mut log = self.lock();
        while log.segments.len() > 1 {
            let oldest = &log.segments[0];
            let age = now.duration_since(oldest.modified()?).unwrap_or_default();
            let total = log.older_bytes + log.end.position;
            if age <= self.config.retention && total <= self.config.partition_bytes_max {
                break;
            }
            let bytes = oldest.bytes()?;
            // Before the log forgets it: what cannot be removed is tried again.
            oldest.remove()?;
            log.segments.remove(0);
            log.older_bytes -= bytes;
            evicted += 1;
        }
        Ok(evicted)
    }

    /// Makes all that was written survive the machine.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let newest = self.lock().newest().clone();
        self.sync_segment(&newest)
    }

    /// After an error nothing more is appended: the system may take what it could not write for written.
    fn sync_segment(&self, segment: &Segment) -> io::Result<()> {
        let failed = |_: &io::Error| self.sync_failed.store(true, Ordering::Release);
        segment.sync().inspect_err(failed)
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Ends appends and tells all readers. The files are the caller's to remove.
    pub(crate) fn delete(&self) {
        let _log = self.lock();
        self.state.send_modify(|state| state.deleted = true);
    }

    /// Checks that a record set is whole valid batches this topic takes.
    pub(crate) fn check(&self, set: &Bytes) -> Result<(), AppendError> {
        let bytes_max = self
            .config
            .batch_bytes_max
            .min(self.config.segment_bytes_max as usize);
        let mut position = 0;
        while position < set.len() {
            let header = Header::check(&set[position..])?;
            if header.bytes > bytes_max {
                return Err(AppendError::TooLarge {
                    bytes: header.bytes,
                    bytes_max,
                });
            }
            let compression = header.compression()?;
            if let Some(only) = self.config.compression
                && only != compression
            {
                let found = compression;
                return Err(AppendError::Compression { only, found });
            }
            position += header.bytes;
        }
        Ok(())
    }

    /// Writes the scratch to the newest segment and moves the end to `end`.
    fn write(&self, log: &mut Log, places: &[Place], end: Place) -> io::Result<()> {
        if log.scratch.is_empty() {
            return Ok(());
        }
        let newest = log.newest().clone();
        let written = newest.write(log.end, &log.scratch);
        log.scratch.clear();
        written?;
        for place in places {
            newest.note(*place);
        }
        log.end = end;
        self.dirty.store(true, Ordering::Release);
        self.state
            .send_modify(|state| state.end_offset = end.offset);
        Ok(())
    }

    /// Closes the newest segment and starts the next.
    fn roll(&self, log: &mut Log) -> io::Result<()> {
        self.sync_segment(log.newest())?;
        let next = Segment::create(&self.dir, log.end.offset)?;
        if let Err(error) = sync_dir(&self.dir) {
            // The old segment goes on growing: an empty newer one beside it would hide what comes.
            if let Err(left) = next.remove() {
                tracing::error!(
                    "{}: an empty segment of offset {} stays, remove it before the broker starts again: {left}",
                    self.dir.display(),
                    log.end.offset
                );
            }
            return Err(error);
        }
        log.older_bytes += log.end.position;
        log.end = Place {
            offset: log.end.offset,
            position: 0,
        };
        log.segments.push(Arc::new(next));
        Ok(())
    }

    fn read_with(
        &self,
        cursor: &mut Cursor,
        offset: i64,
        read: impl FnOnce(&Segment, Place, Place) -> io::Result<(Vec<u8>, Place)>,
    ) -> Result<Read, ReadError> {
        let (start_offset, end_offset, segment, end) = {
            let log = self.lock();
            let (start_offset, end_offset) = (log.start_offset(), log.end.offset);
            if offset < start_offset {
                return Err(ReadError::Evicted {
                    offset,
                    start_offset,
                });
            }
            if offset > end_offset {
                return Err(ReadError::OutOfRange { offset, end_offset });
            }
            if offset == end_offset {
                return Ok(Read {
                    bytes: Bytes::new(),
                    next_offset: offset,
                    start_offset,
                    end_offset,
                });
            }
            let (segment, end) = log.find(offset)?;
            (start_offset, end_offset, segment, end)
        };
        let start = match cursor.0.take() {
            Some((at, place)) if Arc::ptr_eq(&at, &segment) && place.offset == offset => place,
            _ => segment.locate(offset, end.position)?,
        };
        let (bytes, next) = read(&segment, start, end)?;
        cursor.0 = Some((segment, next));
        Ok(Read {
            bytes: bytes.into(),
            next_offset: next.offset,
            start_offset,
            end_offset,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
