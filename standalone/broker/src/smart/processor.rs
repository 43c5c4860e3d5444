//! A stream's modules at work, one response ahead of the client.
//!
//! While the client takes a response, the next one is made: the modules and the client's own work share the time instead
//! of taking turns. What was made ahead is used when the client goes on where the last response ended, which it does
//! unless it is told to start elsewhere; then it is dropped, and the modules have seen records the client has not.

use std::sync::Arc;

use bytes::Bytes;
use fluvio_protocol::link::ErrorCode;
use tokio::task::JoinHandle;

use crate::faults::Faults;
use crate::log::{Cursor, Partition, READ_BYTES_MAX, Read, read_error};
use crate::smart::{Chain, Processed};

/// How much goes into the modules for one response, where the batches allow.
const INPUT_BYTES: usize = 1024 * 1024;

/// The log that was read, without its records, and what the modules made of them.
pub(crate) type Prepared = (Read, Processed);

/// The modules of a stream.
pub(crate) struct Processor {
    partition: Arc<Partition>,
    max_bytes: usize,
    faults: Faults,
    work: Work,
}

enum Work {
    Idle(Chain, Cursor),
    Running {
        from: i64,
        done: JoinHandle<(Chain, Cursor, Result<Prepared, ErrorCode>)>,
    },
    /// A panic has taken the modules.
    Lost,
}

impl Processor {
    /// Modules that have processed nothing yet. About `max_bytes` come out at once.
    pub(crate) fn new(
        chain: Chain,
        partition: Arc<Partition>,
        max_bytes: usize,
        faults: Faults,
    ) -> Self {
        Self {
            partition,
            max_bytes,
            faults,
            work: Work::Idle(chain, Cursor::default()),
        }
    }

    /// Processes the records from `offset` on; there are some.
    pub(crate) async fn next(&mut self, offset: i64) -> Result<Prepared, ErrorCode> {
        loop {
            self.start(offset);
            let Work::Running { from, done } = std::mem::replace(&mut self.work, Work::Lost) else {
                return Err(ErrorCode::UnknownServerError);
            };
            let (chain, cursor, prepared) = done.await.map_err(|error| {
                tracing::error!("processing records failed: {error}");
                ErrorCode::UnknownServerError
            })?;
            self.work = Work::Idle(chain, cursor);
            if from == offset {
                return prepared;
            }
        }
    }

    /// Starts on the records from `offset` on, if there are any already.
    pub(crate) fn work_ahead(&mut self, offset: i64) {
        if self.partition.end_offset() > offset && !self.faults.has_careless_modules() {
            self.start(offset);
        }
    }

    fn start(&mut self, from: i64) {
        let (mut chain, mut cursor) = match std::mem::replace(&mut self.work, Work::Lost) {
            Work::Idle(chain, cursor) => (chain, cursor),
            other => {
                self.work = other;
                return;
            }
        };
        let (partition, max_bytes) = (self.partition.clone(), self.max_bytes);
        let careless = self.faults.has_careless_modules();
        let done = tokio::task::spawn_blocking(move || {
            let input_bytes = if careless {
                READ_BYTES_MAX
            } else {
                INPUT_BYTES
            };
            let prepared = partition
                .read(&mut cursor, from, input_bytes)
                .map_err(read_error)
                .and_then(|mut read| {
                    let input = std::mem::replace(&mut read.bytes, Bytes::new());
                    let processed = if careless {
                        chain.process_carelessly(&input, read.end_offset, max_bytes)
                    } else {
                        chain.process(&input, from, max_bytes)
                    };
                    Ok((read, processed?))
                });
            (chain, cursor, prepared)
        });
        self.work = Work::Running { from, done };
    }
}
