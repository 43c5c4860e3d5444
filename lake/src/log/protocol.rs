//! Which tables this crate reads and writes, by Delta's versions and features.

use super::action::Protocol;

/// Features that this crate honours as a writer. `appendOnly`: upkeep expires no rows of such a table.
const WRITER_FEATURES: [&str; 3] = ["appendOnly", "domainMetadata", "invariants"];

/// The protocol of tables that this crate creates: any Delta reader reads them.
pub(crate) fn of_new_tables() -> Protocol {
    Protocol {
        min_reader_version: 1,
        min_writer_version: 7,
        reader_features: None,
        writer_features: Some(WRITER_FEATURES.map(str::to_owned).to_vec()),
    }
}

/// Whether this crate reads such a table.
///
/// # Errors
/// A phrase that says what it lacks.
pub(crate) fn check_readable(protocol: &Protocol) -> Result<(), String> {
    let features = protocol.reader_features.iter().flatten();
    let features: Vec<&str> = features.map(String::as_str).collect();
    match protocol.min_reader_version {
        ..=1 => Ok(()),
        3 if features.is_empty() => Ok(()),
        3 => Err(format!(
            "it needs the reader features {}",
            features.join(", ")
        )),
        version => Err(format!("it needs a Delta reader of version {version}")),
    }
}

/// Whether this crate writes such a table.
///
/// # Errors
/// A phrase that says what it lacks.
pub(crate) fn check_writable(protocol: &Protocol) -> Result<(), String> {
    check_readable(protocol)?;
    match protocol.min_writer_version {
        7 => {
            let features = protocol.writer_features.iter().flatten();
            let unknown = features.filter(|name| !WRITER_FEATURES.contains(&name.as_str()));
            let unknown: Vec<&str> = unknown.map(String::as_str).collect();
            if unknown.is_empty() {
                return Ok(());
            }
            Err(format!(
                "it needs the writer features {}",
                unknown.join(", ")
            ))
        }
        version => Err(format!(
            "it is for writers of version {version}, which cannot hold a stage's position"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_needs_more_is_refused_by_the_names_of_its_features() {
        assert_eq!(check_writable(&of_new_tables()), Ok(()));
        let mut protocol = of_new_tables();
        protocol.min_reader_version = 3;
        protocol.reader_features = Some(vec!["deletionVectors".to_owned()]);
        let reason = check_readable(&protocol).unwrap_err();
        assert!(reason.contains("deletionVectors"), "{reason}");
        let mut protocol = of_new_tables();
        protocol.writer_features = Some(vec!["rowTracking".to_owned()]);
        let reason = check_writable(&protocol).unwrap_err();
        assert!(reason.contains("rowTracking"), "{reason}");
        assert_eq!(check_readable(&protocol), Ok(()));
    }
}
