//! Files of numbers and labels: what is read, and what is said of what cannot be.

use nn::data::{Dataset, LabelColumn, Schema, Standardize, imbalance, read_csv};
use nn::{Error, rng};

fn read(text: &str, label: &LabelColumn, schema: Option<&Schema>) -> Result<(Dataset<f64>, Schema), Error> {
    read_csv("a.csv", text.as_bytes(), label, schema)
}

fn guess(text: &str) -> (Dataset<f64>, Schema) {
    read(text, &LabelColumn::Guess, None).unwrap()
}

#[test]
fn headers_labels_and_quotes_are_understood() {
    let (data, schema) = guess("height,width,species\n1,2.5,cat\n-3e1,4,dog\n5,6,cat\n");
    assert_eq!(data.inputs().data(), [1.0, 2.5, -30.0, 4.0, 5.0, 6.0]);
    assert_eq!((data.labels(), data.classes()), (&[0, 1, 0][..], 2));
    assert_eq!(
        (schema.features, schema.classes),
        (vec!["height".into(), "width".into()], vec!["cat".into(), "dog".into()])
    );
    // Without a header; numeric labels in the order of numbers, not of text; spaces and CRLF.
    let (data, schema) = guess("1, 2, 10\r\n3, 4, 9\r\n");
    assert_eq!((data.labels(), schema.header), (&[1, 0][..], false));
    assert_eq!(
        (schema.classes, schema.features),
        (vec!["9".to_owned(), "10".into()], vec!["x0".to_owned(), "x1".into()])
    );
    // The label by name or position, not last.
    let text = "class,a,b\n1,2,3\n0,4,5\n";
    for label in [LabelColumn::Guess, LabelColumn::Name("class".into()), LabelColumn::Index(0)] {
        let (data, schema) = read(text, &label, None).unwrap();
        assert_eq!((data.inputs().data(), data.labels(), schema.label), (&[2.0, 3.0, 4.0, 5.0][..], &[1, 0][..], 0));
    }
    let (data, _) = read("a,b,c\n1,2,3\n4,5,6\n", &"b".parse().unwrap(), None).unwrap();
    assert_eq!(data.inputs().data(), [1.0, 3.0, 4.0, 6.0]);
    // Quoted names and labels with commas in them, a byte order mark, blank lines, no newline at the end.
    let (data, schema) = guess("\u{feff}a,\"b, c\",class\n1,2,\"x, y\"\n\n3,4,z");
    assert_eq!((schema.features[0].as_str(), schema.features[1].as_str(), schema.classes.len()), ("a", "b, c", 2));
    assert_eq!(data.len(), 2);
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let (_, schema) = guess("a,b,class\n1,2,p\n3,4,q\n");
    let cases: &[(&str, LabelColumn, bool, usize, &str)] = &[
        ("", LabelColumn::Guess, false, 1, "empty"),
        ("\n\n", LabelColumn::Guess, false, 1, "empty"),
        ("a,class\n", LabelColumn::Guess, false, 1, "no rows"),
        ("1\n2\n", LabelColumn::Guess, false, 1, "1 column"),
        ("1;2;3\n", LabelColumn::Guess, false, 1, "separated by commas"),
        ("1,2,p\n3,q\n", LabelColumn::Guess, false, 2, "2 fields where the first line has 3"),
        ("1,2,p\n3,4,5,q\n", LabelColumn::Guess, false, 2, "4 fields"),
        ("1,2,p\n3,,q\n", LabelColumn::Guess, false, 2, "`x1` is missing"),
        ("a,b,class\n1,2,p\nNA,4,q\n", LabelColumn::Guess, false, 3, "`a` is `NA`"),
        ("1,2,p\n3,nan,q\n", LabelColumn::Guess, false, 2, "no finite number"),
        ("1,2,p\n3,inf,q\n", LabelColumn::Guess, false, 2, "no finite number"),
        ("1,2,p\n3,4,\n", LabelColumn::Guess, false, 2, "the label is missing"),
        ("1,2,p\n", LabelColumn::Index(3), false, 1, "there is no column 3"),
        ("a,b,class\n1,2,p\n", LabelColumn::Name("kind".into()), false, 1, "no column `kind`"),
        ("a,b,class\n1,2,r\n", LabelColumn::Guess, true, 2, "label `r` does not occur"),
        ("a,b,c,class\n1,2,3,p\n", LabelColumn::Guess, true, 1, "3 features, but the training set has 2"),
        ("b,a,class\n1,2,p\n", LabelColumn::Guess, true, 1, "column `b` stands where the training set has `a`"),
    ];
    for (text, label, with_schema, line, words) in cases {
        let error = read(text, label, with_schema.then_some(&schema)).unwrap_err();
        assert!(matches!(&error, Error::Data { line: found, .. } if found == line), "{text:?}: {error}");
        assert!(error.to_string().contains(words) && error.to_string().contains("a.csv"), "{text:?}: {error}");
    }
    let error = nn::data::csv::<f64>("nowhere.csv".as_ref(), &LabelColumn::Guess, None).unwrap_err();
    assert!(error.to_string().contains("nowhere.csv"), "{error}");
}

#[test]
fn standardised_features_have_mean_0_and_deviation_1_where_they_were_fitted() {
    let (data, _) = guess("1,7,10,a\n2,7,30,b\n6,7,-20,a\n");
    let fitted = Standardize::fit(&data);
    let there = fitted.apply(&data).unwrap();
    let column = |j: usize| (0..3).map(|i| there.inputs().data()[3 * i + j]).collect::<Vec<f64>>();
    for j in [0, 2] {
        let (sum, squares): (f64, f64) = (column(j).iter().sum(), column(j).iter().map(|x| x * x).sum());
        assert!(sum.abs() < 1e-12 && (squares / 3.0 - 1.0).abs() < 1e-12);
    }
    assert_eq!(column(1), [0.0; 3], "a constant stays one");
    assert_eq!(Standardize::identity(3).apply(&data).unwrap(), data);
    assert!(matches!(Standardize::identity(2).apply(&data), Err(Error::Configuration { .. })));
}

#[test]
fn imbalance_keeps_a_geometric_part_of_each_class() {
    let rows: String = (0..900).map(|i| format!("{i},{}\n", i % 3)).collect();
    let (data, _) = guess(&rows);
    let kept = data.select(&imbalance(&data, 100.0, &mut rng(1)).unwrap());
    let counts: Vec<usize> = (0..3).map(|k| kept.labels().iter().filter(|&&l| l == k).count()).collect();
    assert_eq!(counts, [300, 30, 3]);
    assert!(matches!(imbalance(&data, 0.5, &mut rng(1)), Err(Error::Configuration { .. })));
}

#[test]
fn an_even_draw_has_as_many_of_each_class_as_can_be() {
    // 2 of the first class, 100 of each other.
    let rows: String = (0..202).map(|i| format!("{i},{}\n", if i < 2 { 0 } else { 1 + i % 2 })).collect();
    let (data, _) = guess(&rows);
    let [chosen, others] = data.draw_evenly(30, &mut rng(5)).unwrap();
    let counts: Vec<usize> = (0..3).map(|k| chosen.iter().filter(|&&i| data.labels()[i] == k).count()).collect();
    assert!(counts[0] == 2 && counts.iter().all(|&n| n <= 10 + 8) && counts[1] >= 10 && counts[2] >= 10, "{counts:?}");
    let mut all = [chosen, others].concat();
    all.sort_unstable();
    assert_eq!(all, (0..202).collect::<Vec<_>>(), "every example is drawn or left, once");
    assert!(matches!(data.draw_evenly(203, &mut rng(5)), Err(Error::Configuration { .. })));
}
