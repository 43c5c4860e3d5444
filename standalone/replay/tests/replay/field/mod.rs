//! The field market: its steps, its delivery, what is detected in it, and the server that gives it out.

mod delivery;
mod detection;
mod server;
mod steps;
