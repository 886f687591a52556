//! `doorward key`.

use crate::program::{Folder, doorward};

#[test]
fn a_new_key_is_printed_once_and_checks() {
    let ran = doorward(&["key", "new", "app", "--namespace", "shop", "--env", "test", "--role", "a,b", "--consumer", "App"], "");
    assert_eq!(ran.exit, 0, "{ran:?}");
    let keys: Vec<&str> = ran.err.split_whitespace().filter(|word| word.starts_with("dw_test_")).collect();
    let [key] = keys.as_slice() else { panic!("{ran:?}") };
    assert!(!ran.out.contains(key) && ran.out.starts_with("---\n"), "{ran:?}");
    // Appended to what is there, both files hold.
    let folder = Folder::new(&[("keys.yaml", &ran.out)]);
    let second = doorward(&["key", "new", "other", "--namespace", "shop", "-o", "json", "-q"], "");
    assert_eq!(second.json()["kind"], "List");
    folder.write("other.json", &second.out);
    let checked = doorward(&["check", folder.path()], "");
    assert!(checked.exit == 0 && checked.out.contains("0 errors, 0 warnings in 4 objects (2 files)"), "{checked:?}");

    let shown = doorward(&["key", "show", "-", "-f", folder.path(), "-o", "json"], &format!("{key}\n"));
    assert_eq!(shown.exit, 0, "{shown:?}");
    let document = shown.json();
    assert_eq!((&document["key"], &document["state"]), (&"shop/app".into(), &"Active".into()), "{document}");
    assert_eq!((&document["consumer"], &document["environment"]), (&"App".into(), &"test".into()), "{document}");
}

#[test]
fn what_is_wrong_with_a_key_is_told_without_it() {
    let made = doorward(&["key", "new", "app", "-q"], "");
    let key = made.err.trim();
    let folder = Folder::new(&[("keys.yaml", &doorward(&["key", "new", "other", "-q"], "").out)]);
    let check = |arguments: &[&str], exit: i32, holds: &str| {
        let ran = doorward(&[&["key"], arguments].concat(), "");
        assert_eq!(ran.exit, exit, "{ran:?}");
        assert!((ran.out.clone() + &ran.err).contains(holds), "{holds}: {ran:?}");
        assert!(!ran.out.contains(key) && !ran.err.contains(key), "{ran:?}");
    };
    check(&["show", key], 0, "its checksum fits");
    check(&["show", &key[..key.len() - 1]], 1, "its checksum does not fit");
    check(&["show", "short"], 1, "16 to 512 printable");
    check(&["show", ""], 2, "the key is empty");
    check(&["show", "0123456789abcdef"], 0, "another gateway");
    check(&["show", key, "-f", folder.path()], 1, "Unknown");
    check(&["new", "App"], 2, "`App`");
    check(&["new", "app", "--env", "Live"], 2, "lower-case");
    check(&["new", "app", "--expires-in", "90"], 2, "such as 90d");
    check(&["new", "app", "--expires-in", "99999d", "--namespace", "Shop"], 2, "`Shop`");
    check(&["revoke", "app", "-f", folder.path()], 2, "choose one of: default/other");
    check(&["revoke", "app", "-f", "missing"], 2, "`missing`");
}

#[test]
fn a_revoked_key_is_suspended_in_its_file() {
    let made = doorward(&["key", "new", "app", "-q"], "");
    let text = format!("# keys of the app\n{}", made.out);
    let folder = Folder::new(&[("keys.yaml", &text)]);
    let file = folder.file("keys.yaml");
    let shown = doorward(&["key", "revoke", "app", "-f", folder.path()], "");
    assert_eq!(shown.exit, 0, "{shown:?}");
    assert!(shown.out.contains("  +   suspended: true\n") && shown.out.contains("--write"), "{}", shown.out);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);

    let written = doorward(&["key", "revoke", "default/app", "-f", folder.path(), "--write"], "");
    assert_eq!(written.exit, 0, "{written:?}");
    let expected = text.replace("spec:\n", "spec:\n  suspended: true\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
    let state = doorward(&["key", "show", "-", "-f", folder.path()], made.err.trim());
    assert!(state.exit == 1 && state.out.contains("Suspended"), "{state:?}");
    let again = doorward(&["key", "revoke", "app", "-f", folder.path(), "--write"], "");
    assert!(again.exit == 0 && again.out.contains("suspended already"), "{again:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
