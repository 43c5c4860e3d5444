//! Fluvio's SmartModules in wasmtime: the calls of fluvio-smartengine, without its copies.
//!
//! That engine encodes a batch byte by byte on the way in, makes a record of its own of each output on the way out, and meters
//! fuel that nobody reads, which costs more than most modules do. Here records stay encoded: they are written into a module's
//! memory once, and its outputs are read where it left them. What a module is asked, and how it answers, is the same: the
//! tests of the modules run them in fluvio-smartengine.

use fluvio_protocol::link::smartmodule::SmartModuleTransformRuntimeError;
use fluvio_protocol::{Decoder, Encoder};
use fluvio_smartmodule::dataplane::smartmodule::{
    Lookback, SmartModuleExtraParams, SmartModuleInitErrorStatus, SmartModuleInitInput,
    SmartModuleInitOutput, SmartModuleInput, SmartModuleLookbackErrorStatus,
    SmartModuleLookbackOutput, SmartModuleTransformErrorStatus,
};
use wasi_common::WasiCtx;
use wasi_common::sync::WasiCtxBuilder;
use wasmtime::{Caller, Linker, Memory, Module, ResourceLimiter, Store, TypedFunc};

use crate::log::batch;

/// Memory of a module.
const MEMORY_BYTES_MAX: usize = 1_000_000_000;
/// The exports that take records and give records, of which a module has one.
const TRANSFORMS: [&str; 5] = ["filter", "map", "filter_map", "array_map", AGGREGATE];
const AGGREGATE: &str = "aggregate";

/// Address, length and version of what a function is called with; it returns a status.
type Function = TypedFunc<(u32, u32, u32), i32>;

/// What compiles modules.
pub(crate) struct Engine(wasmtime::Engine);

impl Engine {
    pub(crate) fn new() -> Self {
        Self(wasmtime::Engine::default())
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

/// A module and how it is started.
pub(crate) struct Plan {
    pub wasm: Vec<u8>,
    pub params: SmartModuleExtraParams,
    /// What an aggregate begins with.
    pub accumulator: Vec<u8>,
    /// The version of the stream's protocol.
    pub version: i16,
}

/// A module wants more memory than it may have.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("it wants {requested} bytes of memory, and may have {max}")]
pub(crate) struct MemoryExceeded {
    pub requested: usize,
    pub max: usize,
}

/// Encoded records, the count first, and what their offsets and times are relative to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub records: &'a [u8],
    pub base_offset: i64,
    pub base_timestamp: i64,
}

/// What a module made of its input.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    /// Encoded records, the count first.
    pub records: &'a [u8],
    /// What it complains about; its records are of what came before.
    pub error: Option<SmartModuleTransformRuntimeError>,
}

/// A module with its memory.
pub(crate) struct Instance {
    store: Store<Host>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    transform: Function,
    look_back: Option<Function>,
    /// What an aggregate has so far.
    accumulator: Option<Vec<u8>>,
    params: SmartModuleExtraParams,
    version: i16,
}

/// What the host keeps for a module.
struct Host {
    wasi: WasiCtx,
    /// Address and length of what the module has given last.
    given: Option<(u32, u32)>,
}

impl ResourceLimiter for Host {
    fn memory_growing(
        &mut self,
        _: usize,
        requested: usize,
        maximum: Option<usize>,
    ) -> anyhow::Result<bool> {
        let max = maximum.map_or(MEMORY_BYTES_MAX, |maximum| maximum.min(MEMORY_BYTES_MAX));
        if requested > max {
            return Err(MemoryExceeded { requested, max }.into());
        }
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> anyhow::Result<bool> {
        Ok(true)
    }
}

impl Instance {
    /// Compiles a module and initializes it. Takes a fraction of a second.
    pub(crate) fn start(engine: &Engine, plan: Plan) -> anyhow::Result<Self> {
        let module = Module::new(&engine.0, &plan.wasm)?;
        let mut linker = Linker::new(&engine.0);
        wasi_common::sync::add_to_linker(&mut linker, |host: &mut Host| &mut host.wasi)?;
        let mut imports = module.imports();
        let gives = imports
            .find(|import| import.name() == "copy_records")
            .ok_or_else(|| anyhow::anyhow!("it does not import copy_records"))?;
        let give = |mut caller: Caller<'_, Host>, at: u32, len: u32| {
            caller.data_mut().given = Some((at, len));
        };
        linker.func_wrap(gives.module(), gives.name(), give)?;

        let host = Host {
            wasi: WasiCtxBuilder::new()
                .inherit_stderr()
                .inherit_stdout()
                .build(),
            given: None,
        };
        let mut store = Store::new(&engine.0, host);
        store.limiter(|host| host);
        let instance = linker.instantiate(&mut store, &module)?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| anyhow::anyhow!("it exports no memory"))?;
        let alloc = instance.get_typed_func(&mut store, "alloc")?;
        let name = TRANSFORMS
            .into_iter()
            .find(|name| instance.get_func(&mut store, name).is_some())
            .ok_or_else(|| anyhow::anyhow!("it exports none of {TRANSFORMS:?}"))?;
        let transform = instance.get_typed_func(&mut store, name)?;
        let mut optional = |name| {
            let function = instance.get_func(&mut store, name);
            function.map(|function| function.typed(&store)).transpose()
        };
        let (init, look_back) = (optional("init")?, optional("look_back")?);
        let mut instance = Self {
            store,
            memory,
            alloc,
            transform,
            look_back,
            accumulator: (name == AGGREGATE).then_some(plan.accumulator),
            params: plan.params,
            version: plan.version,
        };
        if let Some(init) = init {
            instance.init(&init)?;
        }
        Ok(instance)
    }

    fn init(&mut self, init: &Function) -> anyhow::Result<()> {
        let mut input = Vec::new();
        let params = self.params.clone();
        SmartModuleInitInput { params }.encode(&mut input, self.version)?;
        let status = self.call(init, &[&input])?;
        if status >= 0 {
            return Ok(());
        }
        let status = SmartModuleInitErrorStatus::try_from(status).unwrap_or_default();
        match status {
            SmartModuleInitErrorStatus::InitError => {
                Err(self.decode::<SmartModuleInitOutput>()?.error.into())
            }
            status => Err(status.into()),
        }
    }

    /// The records before the stream's first that the module wants to see.
    pub(crate) fn looks_back(&self) -> Option<&Lookback> {
        self.look_back.as_ref()?;
        self.params.lookback()
    }

    /// Shows the module encoded records, the count first.
    pub(crate) fn look_back(&mut self, records: &[u8]) -> anyhow::Result<()> {
        let Some(look_back) = self.look_back.clone() else {
            return Ok(());
        };
        let input = Input {
            records,
            base_offset: 0,
            base_timestamp: 0,
        };
        let (head, tail) = around_records(input, self.version)?;
        let status = self.call(&look_back, &[&head, records, &tail])?;
        if status >= 0 {
            return Ok(());
        }
        let status = SmartModuleLookbackErrorStatus::try_from(status).unwrap_or_default();
        match status {
            SmartModuleLookbackErrorStatus::PropagatedError => {
                Err(self.decode::<SmartModuleLookbackOutput>()?.error.into())
            }
            status => Err(status.into()),
        }
    }

    /// What the module makes of some records.
    pub(crate) fn process(&mut self, input: Input<'_>) -> anyhow::Result<Output<'_>> {
        let (head, mut tail) = around_records(input, self.version)?;
        if let Some(accumulator) = &self.accumulator {
            accumulator.encode(&mut tail, self.version)?;
        }
        let transform = self.transform.clone();
        let status = self.call(&transform, &[&head, input.records, &tail])?;
        if status < 0 {
            let status = SmartModuleTransformErrorStatus::try_from(status).unwrap_or_default();
            return Err(status.into());
        }
        let given = given(&self.store, self.memory)?;
        let (records, mut rest) = given.split_at(batch::records_len(given)?);
        let error = Option::decode_from(&mut rest, self.version)?;
        if let Some(accumulator) = &mut self.accumulator {
            *accumulator = Vec::decode_from(&mut rest, self.version)?;
        }
        Ok(Output { records, error })
    }

    /// Calls a function with these bytes, one after the other.
    fn call(&mut self, function: &Function, parts: &[&[u8]]) -> anyhow::Result<i32> {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let len = u32::try_from(len)?;
        let start = self.alloc.call(&mut self.store, len)?;
        let room = self.memory.data_mut(&mut self.store);
        let mut room = room
            .get_mut(start as usize..)
            .and_then(|room| room.get_mut(..len as usize))
            .ok_or_else(|| anyhow::anyhow!("it allocates outside of its memory"))?;
        for part in parts {
            let (here, after) = room.split_at_mut(part.len());
            here.copy_from_slice(part);
            room = after;
        }
        self.store.data_mut().given = None;
        function.call(&mut self.store, (start, len, self.version as u32))
    }

    fn decode<T: Decoder>(&self) -> anyhow::Result<T> {
        let mut given = given(&self.store, self.memory)?;
        Ok(T::decode_from(&mut given, self.version)?)
    }
}

/// What a module gave during the last call.
fn given(store: &Store<Host>, memory: Memory) -> anyhow::Result<&[u8]> {
    let (start, len) = store.data().given.unwrap_or_default();
    let memory = memory.data(store);
    memory
        .get(start as usize..)
        .and_then(|given| given.get(..len as usize))
        .ok_or_else(|| anyhow::anyhow!("it gives what is not in its memory"))
}

/// The bytes before and after the records of an encoded [`SmartModuleInput`].
fn around_records(input: Input<'_>, version: i16) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    /// Base offset, and the records' length.
    const HEAD_BYTES: usize = 12;
    let mut head = Vec::new();
    let empty = SmartModuleInput::new(Vec::new(), input.base_offset, input.base_timestamp);
    empty.encode(&mut head, version)?;
    let tail = head.split_off(HEAD_BYTES);
    head[HEAD_BYTES - 4..].copy_from_slice(&u32::try_from(input.records.len())?.to_be_bytes());
    Ok((head, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_encoded_as_fluvio_does() {
        let records = [0, 0, 0, 1, 7, 8, 9];
        for version in [15, 16, 20, 21, 22, 23] {
            let mut theirs = Vec::new();
            let input = SmartModuleInput::new(records.to_vec(), 5, 6);
            input.encode(&mut theirs, version).unwrap();
            let input = Input {
                records: &records,
                base_offset: 5,
                base_timestamp: 6,
            };
            let (head, tail) = around_records(input, version).unwrap();
            assert_eq!([&head[..], &records, &tail].concat(), theirs, "{version}");
        }
    }
}
