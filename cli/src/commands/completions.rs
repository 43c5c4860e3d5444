//! `coinlake completions`: what a shell completes.

use std::io::{self, ErrorKind, Write};

use clap::{Args, Command};
use clap_complete::Shell;

#[derive(Args)]
#[command(
    after_help = "For example, for bash:\n  coinlake completions bash > ~/.local/share/bash-completion/completions/coinlake"
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script for `command` on stdout.
///
/// # Errors
/// When it cannot be written. A reader that has seen enough, such as `head`, is no error.
pub(crate) fn run(args: &CompletionsArgs, mut command: Command) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    match io::stdout().write_all(&script) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
