//! `coinlake completions`: what a shell completes.

use std::io;

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
pub(crate) fn run(args: &CompletionsArgs, mut command: Command) {
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut io::stdout());
}
