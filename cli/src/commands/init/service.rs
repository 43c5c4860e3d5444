//! A systemd unit that runs `coinlake up`.

use std::path::Path;

use anyhow::{Result, bail};

/// The unit that runs `command` with the settings file `config`, both absolute.
///
/// # Errors
/// When a path holds what a unit cannot.
pub(super) fn unit(command: &Path, config: &Path) -> Result<String> {
    let command = text(command)?;
    let config = text(config)?;
    let folder = config.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let folder = if folder.is_empty() { "/" } else { folder };
    Ok(format!(
        "\
# Made by `coinlake init --service`.
# For you:          coinlake init --service > ~/.config/systemd/user/coinlake.service
#                   systemctl --user daemon-reload
#                   systemctl --user enable --now coinlake
#                   loginctl enable-linger    # runs without a login, too
# For the machine:  the same in /etc/systemd/system, as root, without --user; then set User= below.
# Secrets:          a file that `secrets` in the settings names.

[Unit]
Description=Coinlake: crypto market data into a lake of Delta tables

[Service]
ExecStart={} up --config {}
WorkingDirectory={}
#User=coinlake
Restart=on-failure
RestartSec=10
# The last commit may wait for a slow disk or network.
TimeoutStopSec=90

[Install]
WantedBy=default.target
",
        argument(command),
        argument(config),
        folder.replace('%', "%%"),
    ))
}

fn text(path: &Path) -> Result<&str> {
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text),
        _ => bail!(
            "{} holds characters that a systemd unit cannot: rename it",
            path.display()
        ),
    }
}

/// An argument of a command line, quoted.
fn argument(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%")
        .replace('$', "$$");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted() {
        let unit = unit(
            Path::new("/opt/my tools/coinlake"),
            Path::new("/srv/100% \"$x\"/coinlake.yaml"),
        );
        let unit = unit.unwrap();
        let start =
            r#"ExecStart="/opt/my tools/coinlake" up --config "/srv/100%% \"$$x\"/coinlake.yaml""#;
        assert!(unit.contains(start), "{unit}");
        assert!(
            unit.contains("WorkingDirectory=/srv/100%% \"$x\"\n"),
            "{unit}"
        );
    }

    #[test]
    fn a_line_end_in_a_path_is_refused() {
        assert!(unit(Path::new("/a"), Path::new("/b\nc/coinlake.yaml")).is_err());
    }
}
