//! Secrets that documentations and default configurations of widely used products print.
//!
//! Whoever moves in may bring one along, and whoever attacks tries them first.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::key_text;

/// Those that are long enough to be a key here; shorter ones are refused for their length.
const TEXTS: [&str; 40] = [
    "edd1c9f034335f136f87ad84b625c8f1",
    "4054f7cf07e344346cd3f287985e76a2",
    "352d20ee67be67f6340b4c0605b044b7",
    "myJWT4Gr4v1t33_S3cr3t",
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
    "sk_test_BQokikJOvBiI2HlWgH4olfQ2",
    "pk_test_TYooMQauvdEDq54NiTphI7jx",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==",
    "SW2YcwTIb9zpOOhoPsMm",
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "thisISaSECRET_1234",
    "SecretKey012345678901234567890123456789012345678901234567890123456789",
    "VGhpc0lzTXlDdXN0b21TZWNyZXRLZXkwMTIzNDU2Nzg=",
    "kPH+bIxk5D2deZiIxcaaaA==",
    "4AvVhmFLUs0KTA3Kprsdag==",
    "2AvVhdsgUs0FSA3SDFAdag==",
    "Z3VucwAAAAAAAAAAAAAAAA==",
    "fCq+/xW488hMTCD+cmJ3aQ==",
    "wGiHplamyXlVB11UXWol8g==",
    "not-a-secure-key",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "reallyreallyreallyreallyverysafe",
    "myadminsecretkey",
    "sk-9f73s3ljTXVcMT3Blb3ljTqtsKiGHXVcMT3BlbkFJLK7U",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "youReallyNeedToChangeThis",
    "PLEASE-CHANGE-ME-I-AM-VERY-INSECURE",
    "abcdef.0123456789abcdef",
    "9a08jv.c0izixklcxtmnze7",
    "07401b.f395accd246ae52d",
    "OQINaROshtE9TcZkNAm5Zs2Pv3xaWytBmc5W7sPX7ws=",
];

static HASHES: LazyLock<BTreeSet<[u8; 32]>> = LazyLock::new(|| TEXTS.iter().map(|text| key_text::digest(text)).collect());

/// Whether this is the SHA-256 of a published secret.
#[must_use]
pub fn holds(hash: &[u8; 32]) -> bool {
    HASHES.contains(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_text::KeyForm;

    #[test]
    fn every_entry_could_be_a_key() {
        assert_eq!(HASHES.len(), TEXTS.len());
        for text in TEXTS {
            assert_eq!(key_text::classify(text), KeyForm::Foreign, "{text}");
            assert!(holds(&key_text::digest(text)), "{text}");
        }
        assert!(!holds(&key_text::digest("edd1c9f034335f136f87ad84b625c8f2")));
    }
}
