//! Printing to stdout.

/// `println!`, but for a reader that has seen enough and left, such as `head`: what it does not read is dropped, and the command goes
/// on to its end.
macro_rules! outln {
    ($($text:tt)*) => {
        $crate::stdout::line(format_args!($($text)*))
    };
}

/// What [`outln`] does.
///
/// # Panics
/// When stdout cannot be written for another reason, such as a full disk.
pub(crate) fn line(text: std::fmt::Arguments<'_>) {
    use std::io::{ErrorKind, Write};
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            panic!("stdout cannot be written: {error}")
        }
        _ => {}
    }
}
