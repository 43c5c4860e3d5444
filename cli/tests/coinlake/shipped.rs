//! The configurations that ship, by name.

macro_rules! shipped {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!(
                "../../../fluvio-config/connectors/",
                $name,
                ".yaml"
            )),
        )
    };
}

pub(crate) const SOURCE: (&str, &str) = shipped!("coingecko-source");

/// In the order the data takes.
pub(crate) const STAGES: [(&str, &str); 5] = [
    shipped!("stage-raw"),
    shipped!("stage-clean"),
    shipped!("stage-features"),
    shipped!("stage-alerts"),
    shipped!("stage-predictions"),
];
