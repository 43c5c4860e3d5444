//! The market domain: ticks, cleaning, windowed features, anomaly score. No I/O, no clock, no wasm.
