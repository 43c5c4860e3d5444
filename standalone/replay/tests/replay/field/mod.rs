//! The field market: its steps, its delivery, and the server that gives them out.

mod delivery;
mod server;
mod steps;
