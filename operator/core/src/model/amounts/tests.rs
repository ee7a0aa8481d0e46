use super::*;

#[test]
fn quantities_are_read_and_written_as_kubernetes_does() {
    let table = [
        ("requests.cpu", "40", "40"),
        ("requests.cpu", "1500m", "1500m"),
        ("requests.cpu", "2000m", "2"),
        ("requests.cpu", "0.1", "100m"),
        ("requests.cpu", "100u", "1m"),
        ("requests.memory", "160Gi", "160Gi"),
        ("requests.memory", "1.5Gi", "1536Mi"),
        ("requests.storage", "2T", "2T"),
        ("requests.memory", "1e3", "1k"),
        ("requests.memory", "1025", "1025"),
        ("pods", "400", "400"),
        ("pods", "1k", "1000"),
        ("requests.memory", "0", "0"),
        ("requests.cpu", "0.1000000000", "100m"),
        ("requests.cpu", "0e30", "0"),
        ("requests.cpu", "1e-99", "1m"),
        ("requests.memory", "10E17", "1E"),
        ("requests.cpu", "0.00000000001", "1m"),
        ("pods", "00000000000000000000000400", "400"),
    ];
    for (key, text, written) in table {
        assert_eq!(Amount::parse(text).unwrap().text(key), written, "{key}: {text}");
    }
}

#[test]
fn every_suffix_has_its_worth_and_fractions_of_a_thousandth_are_rounded_up() {
    let table: [(&str, i128); 32] = [
        ("1", 1_000),
        ("+7", 7_000),
        ("5.", 5_000),
        (".5", 500),
        ("1m", 1),
        ("1500u", 2),
        ("2000001n", 3),
        ("1k", 1_000_000),
        ("1M", 1_000_000_000),
        ("1G", 1_000_000_000_000),
        ("1T", 1_000_000_000_000_000),
        ("1P", 1_000_000_000_000_000_000),
        ("1E", 1_000_000_000_000_000_000_000),
        ("1Ki", 1_024_000),
        ("1Mi", 1_048_576_000),
        ("1Gi", 1_073_741_824_000),
        ("1Ti", 1_099_511_627_776_000),
        ("1Pi", 1_125_899_906_842_624_000),
        ("0.5Ei", 576_460_752_303_423_488_000),
        ("1e3", 1_000_000),
        ("1E3", 1_000_000),
        ("1e-3", 1),
        ("15e-4", 2),
        ("2e-28", 1),
        ("1e18", LARGEST),
        ("0e127", 0),
        ("1.001", 1_001),
        ("1.000000001", 1_001),
        ("1.0000000001", 1_001),
        ("1.0000000000", 1_000),
        ("1000000000000000000000m", LARGEST),
        ("1000000000000000000", LARGEST),
    ];
    for (text, thousandths) in table {
        assert_eq!(Amount::parse(text).unwrap(), Amount(thousandths), "{text}");
    }
}

#[test]
fn what_is_above_the_bound_by_the_least_or_has_too_many_digits_is_refused() {
    for text in ["1000000000000000000001m", "1000000000000000001", "1.000000001E", "1Ei", "10000000000000000000000n", "2e18", "1e20"] {
        assert!(Amount::parse(text).is_err(), "{text}");
    }
}

#[test]
fn bytes_have_the_suffix_of_the_shortest_text_and_nothing_else_has_one() {
    let text = |thousandths, key: &str| Amount(thousandths).text(key);
    for key in ["requests.memory", "memory", "limits.ephemeral-storage", "requests.hugepages-2Mi"] {
        assert_eq!(text(1_048_576_000, key), "1Mi", "{key}");
    }
    for (bytes, written) in [(1_000_000, "1M"), (1_024_000, "1024k"), (1_500, "1500"), (1_000, "1k"), (1 << 60, "1Ei"), (0, "0")] {
        assert_eq!(text(bytes * MILLI, "memory"), written);
    }
    assert_eq!((text(1, "memory"), text(1_001, "memory")), ("1".into(), "2".into()), "there are no parts of a byte");
    assert_eq!((text(1_048_576_000, "pods"), text(1_001, "cpu")), ("1048576".into(), "1001m".into()));
    assert_eq!(Amount(2_500).to_string(), "2500m");
}

#[test]
fn a_sum_is_of_both_and_a_difference_never_below_nothing() {
    let [two, five] = [2, 5].map(Amount::whole);
    assert_eq!((two.plus(five), five.minus(two), two.minus(five)), (Amount(7_000), Amount(3_000), Amount::ZERO));
    let mut sum = Amounts::from([("cpu".to_owned(), two), ("pods".to_owned(), five)]);
    add(&mut sum, &Amounts::from([("cpu".to_owned(), five), ("memory".to_owned(), two)]));
    assert_eq!(["cpu", "memory", "pods", "other"].map(|key| of(&sum, key)), [Amount(7_000), two, five, Amount::ZERO]);
}

#[test]
fn resources_are_read_and_written_by_their_keys_and_a_wrong_one_is_named() {
    let written = Resources::from([("pods".to_owned(), Quantity("3".into())), ("requests.memory".to_owned(), Quantity("1Gi".into()))]);
    let read = amounts(&written).unwrap();
    assert_eq!((of(&read, "pods"), resources(&read)), (Amount::whole(3), written));
    let (key, complaint) = amounts(&Resources::from([("pods".to_owned(), Quantity("many".into()))])).unwrap_err();
    assert!(key == "pods" && complaint.contains("'many'"), "{complaint}");
}

#[test]
fn nonsense_is_refused_with_a_cure() {
    for text in ["", ".", "-1", "1.2.3", "four", "1Xi", "1e99", "1e19", "1e128", "2E", "99999999999999999999999", "1 Gi", "e3"] {
        let complaint = Amount::parse(text).unwrap_err();
        assert!(complaint.contains(text) && complaint.contains("160Gi"), "{complaint}");
    }
}

#[test]
fn a_proportion_is_never_above_its_exact_value() {
    let [share, part, whole] = ["7", "80", "40"].map(|text| Amount::parse(text).unwrap());
    assert_eq!(share.in_proportion(part, whole, "limits.cpu").text("limits.cpu"), "14");
    let odd = Amount::parse("10Gi").unwrap().in_proportion(Amount::parse("1").unwrap(), Amount::parse("3").unwrap(), "limits.memory");
    assert_eq!(odd.text("limits.memory"), "3413Mi");
    assert_eq!(share.in_proportion(part, Amount::ZERO, "limits.cpu"), Amount::ZERO);
    let [least, most] = ["1m", "1E"].map(|text| Amount::parse(text).unwrap());
    assert_eq!(most.in_proportion(most, least, "limits.cpu"), most, "bounded");
    assert_eq!(most.in_proportion(most, most, "limits.cpu"), most);
    let table = [
        ("1", "1", "3", "cpu", "333m"),
        ("1", "2", "3", "pods", "666m"),
        ("1Mi", "2", "1", "memory", "2Mi"),
        ("1Mi", "1", "2", "memory", "0"),
    ];
    for (amount, part, whole, key, expected) in table {
        let [amount, part, whole] = [amount, part, whole].map(|text| Amount::parse(text).unwrap());
        assert_eq!(amount.in_proportion(part, whole, key).text(key), expected, "{part}/{whole} of {amount}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_written_reads_back(milli in 0_i128..1_000_000_000_000_000_000) {
        let amount = Amount(milli);
        proptest::prop_assert_eq!(Amount::parse(&amount.text("requests.cpu")).unwrap(), amount);
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = Amount::parse(&text);
    }
}
