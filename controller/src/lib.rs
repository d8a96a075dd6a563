//! What every control-plane process is built from.
