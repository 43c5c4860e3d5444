//! SmartModule: computes windowed features.
