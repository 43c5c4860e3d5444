//! Wraps a type of another crate as a module.

/// Defines a [`SmartModule`](crate::SmartModule) around a processor, a type that turns each input into at most one output,
/// and exports it.
///
/// `Input` is the processor's input; it has the fields of [`Record`](crate::Record). `Output` is a buffer for its output, with
/// the methods `key` and `value`.
///
/// - `init` makes the processor from the parameters
/// - `prepare`, if given, gets the inputs of a batch before `process` does
/// - `process` fills the output and returns whether there is one
/// - `look_back`, if given, gets the inputs from before the stream
///
/// ```
/// struct Input<'a> {
///     offset: i64,
///     timestamp_ms: i64,
///     key: Option<&'a [u8]>,
///     value: &'a [u8],
/// }
///
/// #[derive(Default)]
/// struct Output(Vec<u8>);
///
/// impl Output {
///     fn key(&self) -> Option<&[u8]> {
///         None
///     }
///
///     fn value(&self) -> &[u8] {
///         &self.0
///     }
/// }
///
/// struct Capitals;
///
/// impl Capitals {
///     fn process(&mut self, input: &Input<'_>, output: &mut Output) -> bool {
///         output.0 = input.value.to_ascii_uppercase();
///         !output.0.is_empty()
///     }
/// }
///
/// smartmodule_abi::module! {
///     /// Writes every value that is not empty in capitals.
///     CapitalsModule(Capitals), Input => Output;
///     init: |_params| Ok::<_, String>(Capitals);
///     process: Capitals::process;
/// }
/// ```
#[macro_export]
macro_rules! module {
    (
        $(#[$doc:meta])*
        $module:ident($processor:ty), $input:ident => $output:ident;
        init: $init:expr;
        $(prepare: $prepare:expr;)?
        process: $process:expr;
        $(look_back: $look_back:expr;)?
    ) => {
        $(#[$doc])*
        pub struct $module {
            processor: $processor,
            output: $output,
        }

        impl $crate::SmartModule for $module {
            fn init(params: Vec<(String, String)>) -> Result<Self, String> {
                let init: fn(Vec<(String, String)>) -> Result<$processor, _> = $init;
                Ok(Self {
                    processor: init(params).map_err(|error| error.to_string())?,
                    output: $output::default(),
                })
            }

            $(
                fn prepare(&mut self, records: $crate::Records<'_>) {
                    $prepare(
                        &mut self.processor,
                        records.map(|record| $crate::module!(@input $input, record)),
                    );
                }
            )?

            fn filter_map(&mut self, record: &$crate::Record<'_>, outputs: &mut $crate::Outputs<'_>) {
                let input = $crate::module!(@input $input, record);
                if $process(&mut self.processor, &input, &mut self.output) {
                    outputs.push(self.output.key(), self.output.value());
                }
            }

            $(
                fn look_back(&mut self, record: &$crate::Record<'_>) {
                    $look_back(&mut self.processor, &$crate::module!(@input $input, record));
                }
            )?
        }

        $crate::module!(@export $module $($look_back)?);
    };
    (@input $input:ident, $record:ident) => {
        $input {
            offset: $record.offset,
            timestamp_ms: $record.timestamp_ms,
            key: $record.key,
            value: $record.value,
        }
    };
    (@export $module:ident) => {
        $crate::export!($module);
    };
    (@export $module:ident $look_back:expr) => {
        $crate::export!($module, look_back);
    };
}
