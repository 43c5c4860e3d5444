//! Chains of SmartModules: finding them, compiling them, running batches through them.
//!
//! A chain belongs to one stream or one produce request and keeps its modules' state as long as that lasts. Compiling
//! takes a fraction of a second and runs on a blocking thread, as everything that calls into WASM does.

use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flate2::read::GzDecoder;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::link::smartmodule::SmartModuleTransformRuntimeError;
use fluvio_sc_schema::smartmodule::SmartModulePackageKey;
use fluvio_smartmodule::dataplane::smartmodule::Lookback;
use fluvio_spu_schema::server::smartmodule::{
    SmartModuleContextData, SmartModuleInvocation, SmartModuleInvocationWasm, SmartModuleKind,
};

use crate::chain_times;
use crate::log::batch::{self, BatchBuilder, BatchError, Header};
use crate::log::{Cursor, Partition};
use crate::meters::ChainMeters;
use crate::shared::Shared;
use crate::smart::engine::{Input, Instance, MemoryExceeded, Output, Plan};

/// A module that unpacks to more is refused.
const WASM_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Look-backs that would read more are refused.
const LOOK_BACK_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The modules of one stream, ready to run: at least one.
pub(crate) struct Chain {
    modules: Vec<Instance>,
    meters: ChainMeters,
}

/// What a chain made of some batches.
#[derive(Debug)]
pub(crate) struct Processed {
    /// One wire batch that covers the offsets it was made from; `None` when there is nothing to send.
    pub batch: Option<Vec<u8>>,
    /// The offset after the last record that went in.
    pub next_offset: i64,
    /// What a module complained about; the records before it are in the batch.
    pub error: Option<SmartModuleTransformRuntimeError>,
}

/// Takes named modules from the registry; the wasm of each is left as it was sent, compressed.
pub(crate) fn resolve(
    broker: &Shared,
    invocations: Vec<SmartModuleInvocation>,
) -> Result<Vec<SmartModuleInvocation>, ErrorCode> {
    invocations
        .into_iter()
        .map(|invocation| resolve_one(broker, invocation))
        .collect()
}

fn resolve_one(
    broker: &Shared,
    invocation: SmartModuleInvocation,
) -> Result<SmartModuleInvocation, ErrorCode> {
    let SmartModuleInvocationWasm::Predefined(name) = invocation.wasm else {
        return Ok(invocation);
    };
    let key = SmartModulePackageKey::from_qualified_name(&name).map_err(|error| {
        ErrorCode::SmartModuleInvalid {
            error: error.to_string(),
            name: Some(name.clone()),
        }
    })?;
    let module = broker.smart_modules.get(&key.store_id()).or_else(|| {
        let all = broker.smart_modules.all();
        all.into_iter().find(|module| {
            let package = module.spec.meta.as_ref().map(|meta| &meta.package);
            key.is_match(&module.name, package)
        })
    });
    let Some(module) = module else {
        return Err(ErrorCode::SmartModuleNotFound { name });
    };
    Ok(SmartModuleInvocation {
        wasm: SmartModuleInvocationWasm::AdHoc(module.spec.wasm.payload.to_vec()),
        name: Some(name),
        ..invocation
    })
}

impl Chain {
    /// Compiles modules, initializes them and shows them what they look back to. Blocks.
    pub(crate) fn open(
        broker: &Shared,
        invocations: Vec<SmartModuleInvocation>,
        version: i16,
        partition: &Partition,
    ) -> Result<Self, ErrorCode> {
        let started = Instant::now();
        let name = chain_times::name(&invocations);
        let meters = ChainMeters::new(name, broker.chain_times.clone());
        let mut modules = Vec::with_capacity(invocations.len());
        for invocation in invocations {
            let plan = plan(invocation, version)?;
            let started = Instance::start(&broker.engine, plan);
            modules.push(started.map_err(|error| {
                memory_exceeded(&error)
                    .unwrap_or_else(|| ErrorCode::SmartModuleChainInitError(format!("{error:#}")))
            })?);
        }
        meters.opened(started.elapsed());
        for module in &mut modules {
            let looked = match module.looks_back().cloned() {
                Some(look_back) => records_back(partition, &look_back)
                    .and_then(|records| module.look_back(&records)),
                None => Ok(()),
            };
            looked.map_err(|error| {
                ErrorCode::SmartModuleLookBackError(error.root_cause().to_string())
            })?;
        }
        Ok(Self { modules, meters })
    }

    /// Runs wire batches through the modules from offset `from` on, until they are all done or `bytes_max` have come out.
    /// Blocks.
    pub(crate) fn process(
        &mut self,
        batches: &[u8],
        from: i64,
        bytes_max: usize,
    ) -> Result<Processed, ErrorCode> {
        let mut out = BatchBuilder::new();
        let mut next_offset = from;
        let mut error = None;
        for batch in batch::headers(batches) {
            let (header, range) = batch.map_err(storage_error)?;
            if header.next_offset() <= from {
                continue;
            }
            let records = header
                .records_bytes(&batches[range])
                .map_err(storage_error)?;
            let count = header.next_offset() - header.base_offset.max(from);
            let records = if header.base_offset < from {
                batch::records_from(&records, header.base_offset, from)
                    .map_err(storage_error)?
                    .into()
            } else {
                records
            };
            let output = self.run(&header, &records, count)?;
            out.append(output.records).map_err(output_error)?;
            next_offset = header.next_offset();
            error = output.error;
            if error.is_some() || out.len() >= bytes_max {
                break;
            }
        }
        let covered = i32::try_from(next_offset - from).unwrap_or(i32::MAX);
        let send = covered > 0 && (error.is_none() || out.count() > 0);
        Ok(Processed {
            batch: send.then(|| out.finish(from, covered - 1, -1)),
            next_offset,
            error,
        })
    }

    /// As an SPU does it: see [`crate::Faults::careless_modules`]. Blocks.
    pub(crate) fn process_carelessly(
        &mut self,
        batches: &[u8],
        end_offset: i64,
        bytes_max: usize,
    ) -> Result<Processed, ErrorCode> {
        let mut out = BatchBuilder::new();
        let mut base_offset = None;
        let mut covered = 0;
        let mut error = None;
        for batch in batch::headers(batches) {
            let (header, range) = batch.map_err(storage_error)?;
            let records = header
                .records_bytes(&batches[range])
                .map_err(storage_error)?;
            let output = self.run(&header, &records, header.records())?;
            let mut alone = BatchBuilder::new();
            alone.append(output.records).map_err(output_error)?;
            if alone.count() > 0 {
                if out.len() + alone.len() > bytes_max {
                    break;
                }
                base_offset.get_or_insert(header.base_offset);
                out.append(output.records).map_err(output_error)?;
            }
            if base_offset.is_some() {
                covered += header.last_offset_delta + 1;
            }
            error = output.error;
            if error.is_some() {
                break;
            }
        }
        Ok(match base_offset {
            Some(base_offset) => Processed {
                batch: Some(out.finish(base_offset, covered - 1, -1)),
                next_offset: base_offset + i64::from(covered),
                error,
            },
            None => Processed {
                batch: None,
                next_offset: end_offset,
                error,
            },
        })
    }

    /// Runs a produce request's batches through the modules: the one batch to write, or `None` when nothing is left.
    /// Blocks.
    pub(crate) fn process_produced(
        &mut self,
        batches: &[u8],
    ) -> Result<Option<Vec<u8>>, ErrorCode> {
        let mut out = BatchBuilder::new();
        let mut first_timestamp = None;
        for batch in batch::headers(batches) {
            let (header, range) = batch.map_err(|error| ErrorCode::Other(error.to_string()))?;
            let records = header
                .records_bytes(&batches[range])
                .map_err(|error| ErrorCode::Other(error.to_string()))?;
            first_timestamp.get_or_insert(header.first_timestamp);
            let output = self.run(&header, &records, header.records())?;
            if let Some(error) = output.error {
                return Err(ErrorCode::SmartModuleRuntimeError(Box::new(error)));
            }
            out.append(output.records).map_err(output_error)?;
        }
        let count = out.count();
        Ok((count > 0).then(|| out.finish(0, count - 1, first_timestamp.unwrap_or(-1))))
    }

    /// Runs encoded records of a batch through all modules.
    fn run(&mut self, batch: &Header, records: &[u8], count: i64) -> Result<Output<'_>, ErrorCode> {
        let started = Instant::now();
        let (first, others) = self
            .modules
            .split_first_mut()
            .ok_or(ErrorCode::UnknownServerError)?;
        let input = Input {
            records,
            base_offset: batch.base_offset,
            base_timestamp: batch.first_timestamp,
        };
        let mut output = first.process(input);
        for module in others {
            let Ok(Output {
                records,
                error: None,
            }) = output
            else {
                break;
            };
            let records = &records.to_vec();
            output = module.process(Input { records, ..input });
        }
        let failed = !matches!(&output, Ok(output) if output.error.is_none());
        self.meters.processed(count, started.elapsed(), failed);
        output.map_err(|error| {
            memory_exceeded(&error)
                .unwrap_or_else(|| ErrorCode::Other(format!("SmartModule err {error:#}")))
        })
    }
}

/// What a module that wants more memory than it may have is answered: another attempt would end the same way.
fn memory_exceeded(error: &anyhow::Error) -> Option<ErrorCode> {
    let MemoryExceeded { requested, max } = error.downcast_ref()?;
    Some(ErrorCode::SmartModuleMemoryLimitExceeded {
        requested: *requested as u64,
        max: *max as u64,
    })
}

fn plan(invocation: SmartModuleInvocation, version: i16) -> Result<Plan, ErrorCode> {
    let name = invocation.name;
    let invalid = |error: String| ErrorCode::SmartModuleInvalid {
        error,
        name: name.clone(),
    };
    let SmartModuleInvocationWasm::AdHoc(packed) = &invocation.wasm else {
        return Err(invalid("a named module must be looked up first".into()));
    };
    let mut wasm = Vec::new();
    let unpacked = GzDecoder::new(packed.as_slice())
        .take(WASM_BYTES_MAX + 1)
        .read_to_end(&mut wasm);
    unpacked.map_err(|error| invalid(format!("not gzip: {error}")))?;
    if wasm.len() as u64 > WASM_BYTES_MAX {
        return Err(invalid(format!(
            "it unpacks to more than {WASM_BYTES_MAX} bytes"
        )));
    }
    let accumulator = match invocation.kind {
        SmartModuleKind::Aggregate { accumulator }
        | SmartModuleKind::Generic(SmartModuleContextData::Aggregate { accumulator }) => {
            accumulator
        }
        _ => Vec::new(),
    };
    Ok(Plan {
        wasm,
        params: invocation.params,
        accumulator,
        version,
    })
}

/// The topic's newest records, from the end of the log back, encoded with the count first.
fn records_back(partition: &Partition, look_back: &Lookback) -> anyhow::Result<Vec<u8>> {
    let end_offset = partition.end_offset();
    let last_from = |last: u64| end_offset.saturating_sub(i64::try_from(last).unwrap_or(i64::MAX));
    let last = look_back.last;
    let (from, since_ms) = match look_back.age {
        None => (last_from(last), i64::MIN),
        Some(age) => {
            let since_ms =
                now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
            let from = if last > 0 {
                last_from(last)
            } else {
                partition.offset_since(since_ms)?
            };
            (from, since_ms)
        }
    };
    let mut next = from.max(partition.start_offset());
    let mut cursor = Cursor::default();
    let mut bytes_left = LOOK_BACK_BYTES_MAX;
    let mut count = 0u32;
    let mut records = count.to_be_bytes().to_vec();
    while next < end_offset {
        let read = partition.read(&mut cursor, next, 4 * 1024 * 1024)?;
        bytes_left = bytes_left.checked_sub(read.bytes.len()).ok_or_else(|| {
            anyhow::anyhow!("looking back would read more than {LOOK_BACK_BYTES_MAX} bytes")
        })?;
        for batch in batch::headers(&read.bytes) {
            let (header, range) = batch?;
            let bytes = header.records_bytes(&read.bytes[range])?;
            for record in batch::records(&bytes) {
                let record = record?;
                let offset = header.base_offset + record.offset_delta;
                let timestamp = header.first_timestamp + record.timestamp_delta;
                if offset >= from && timestamp >= since_ms {
                    records.extend_from_slice(record.bytes);
                    count += 1;
                }
            }
        }
        next = read.next_offset;
    }
    records[..4].copy_from_slice(&count.to_be_bytes());
    Ok(records)
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn storage_error(error: BatchError) -> ErrorCode {
    tracing::error!("a batch in the log: {error}");
    ErrorCode::StorageError
}

fn output_error(error: BatchError) -> ErrorCode {
    ErrorCode::Other(format!("SmartModule err in its output: {error}"))
}
