use super::*;

fn table(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn chosen(text: &str, header: bool, options: ScanOptions) -> Result<Columns, ScanError> {
    let rows = table(text);
    let choice = Choice::asked(&options);
    assert_eq!(is_header(&rows[0], &rows[1..], &choice), header, "{text}");
    let names = if header { rows[0].clone() } else { unnamed(rows[0].len()) };
    let rows = if header { &rows[1..] } else { &rows[..] };
    Columns::choose(
        Path::new("t.csv"),
        &choice,
        Sampled { names: &names, rows, lists: &[], reserved: &[] },
        None,
    )
}

fn check(text: &str, header: bool, (label_text, label): (usize, usize)) {
    check_form(text, header, label_text, &[label], TargetForm::Name);
}

fn check_form(text: &str, header: bool, text_column: usize, labels: &[usize], form: TargetForm) {
    let columns = chosen(text, header, ScanOptions::default()).unwrap();
    assert_eq!(
        columns,
        Columns { sample: text_column, holds: Holds::Texts, labels: labels.to_vec(), form },
        "{text}"
    );
}

#[test]
fn columns_are_found_by_name() {
    check("id,text,label\n1,a,x\n2,b,y", true, (1, 2));
    check("Sentiment,Review\npos,good\nneg,bad", true, (1, 0));
    check("title,body,category\na,b,x\nc,d,y", true, (1, 2));
    check("label,rating\nx,a long text\ny,another text", true, (1, 0));
}

#[test]
fn columns_are_found_by_content() {
    check("good film,pos\nbad film,neg\nfine film,pos\nsad film,neg", false, (0, 1));
    let ids = "1,pos,good film\n2,neg,bad film indeed\n3,pos,fine film\n4,neg,sad film";
    check(ids, false, (2, 1));
    let named = "what,mood\ngood film,pos\nbad film,neg\nfine film,pos\nsad film,neg";
    check(named, true, (0, 1));
    check("good film,1\nbad film,0\nfine film,1\nsad film,0", false, (0, 1));
}

#[test]
fn columns_of_marks_are_labels_together() {
    let toxic = "id,comment_text,toxic,threat,insult\na1,you are nice,0,0,0\na2,you are not,1,0,1\n\
                 a3,go away now,1,0,0\na4,hello there all,0,0,1";
    check_form(toxic, true, 1, &[2, 3, 4], TargetForm::Marks);
    let words = "what,rude,loud\nsome words,yes,no\nmore words,no,no\nlast words,no,yes";
    check_form(words, true, 0, &[1, 2], TargetForm::Marks);
    // Without names, with a column in another writing, and with a better column.
    let bare = "some words,true,1,0\nmore words,false,0,1\nmany words,true,1,1\nlast words,false,0,1";
    check_form(bare, false, 0, &[2, 3], TargetForm::Marks);
    let labelled = "text,label,rude,loud\nsome,x,1,0\nmore,y,0,1\nmany,x,1,1";
    check(labelled, true, (0, 1));
    // A single one is a class of two.
    check("what,rude\nsome words,1\nmore words,0\nlast words,0\nno words,1", true, (0, 1));
}

#[test]
fn a_column_of_lists_is_found() {
    let tags = "what,things\nsome words,a;b\nmore words,b;c\nmany words,a\nno words,c;a\nlast words,b;c";
    check_form(tags, true, 0, &[1], TargetForm::SemicolonList);
    let bare = "some words,a|b\nmore words,b|c\nmany words,a\nno words,c|a";
    check_form(bare, false, 0, &[1], TargetForm::BarList);
    let beside = "id,what,genres\n1,some words,a|b\n2,more words,b|c\n3,many words,a\n4,no words,c|a";
    check_form(beside, true, 1, &[2], TargetForm::BarList);
}

#[test]
fn a_column_of_numbers_is_found() {
    check_form(
        "what,cost\nsome words,1.5\nmore words,2.25\nlast words,9.75",
        true,
        0,
        &[1],
        TargetForm::Numbers,
    );
    check_form(
        "any words,NA\nsome words,1.5\nmore words,2.25\nlast words,9.75",
        false,
        0,
        &[1],
        TargetForm::Numbers,
    );
    check_form("some words,1.5\nmore words,2.25\nlast words,9.75", false, 0, &[1], TargetForm::Numbers);
    let rows: String = (0..30).map(|n| format!("\n{n},words of {n},{}", n * n + 7)).collect();
    check_form(&format!("number,what,cost{rows}"), true, 1, &[2], TargetForm::Numbers);
    let rows: String = (0..30).map(|n| format!("\nwords of {n},{},{}.5", n * n + 7, 3 * n)).collect();
    check_form(&format!("what,weight,price{rows}"), true, 0, &[2], TargetForm::Numbers);
    // Of two that are called nothing known, neither is meant.
    let unclear = chosen(&format!("what,width,height{rows}"), true, ScanOptions::default());
    assert!(matches!(unclear, Err(ScanError::UnclearColumn { what: "label", .. })), "{unclear:?}");
}

#[test]
fn what_was_asked_for_counts() {
    let text = "text,label,mood\na,1,x\nb,0,y";
    let choose = |text_column: Option<&str>, labels: &[&str], target: Option<TargetKind>| {
        let label_columns = labels.iter().map(|label| label.to_string()).collect();
        let text_column = text_column.map(str::to_owned);
        chosen(text, true, ScanOptions { text_column, label_columns, target, ..ScanOptions::default() })
    };
    let columns = |sample, labels: &[usize], form| {
        let (holds, labels) = (Holds::Texts, labels.to_vec());
        Columns { sample, holds, labels, form }
    };
    let name = TargetForm::Name;
    assert_eq!(choose(None, &["Mood"], None).unwrap(), columns(0, &[2], name));
    assert_eq!(choose(Some("label"), &["mood"], None).unwrap(), columns(1, &[2], name));
    assert!(matches!(choose(Some("txt"), &[], None), Err(ScanError::UnknownColumn { .. })));
    assert!(matches!(choose(Some("text"), &["text"], None), Err(ScanError::TwoRoles { .. })));
    let kinds = [
        (TargetKind::Class, name),
        (TargetKind::Labels, TargetForm::Marks),
        (TargetKind::Numbers, TargetForm::Numbers),
    ];
    for (kind, form) in kinds {
        assert_eq!(choose(None, &["label"], Some(kind)).unwrap(), columns(0, &[1], form));
        assert_eq!(choose(None, &[], Some(kind)).unwrap(), columns(0, &[1], form));
    }
    assert_eq!(
        choose(None, &["mood"], Some(TargetKind::Labels)).unwrap(),
        columns(0, &[2], TargetForm::SemicolonList)
    );
}

#[test]
fn several_label_columns_are_marks_or_numbers_or_refused() {
    let text = "text,a,b,c,d\nx,1,0,2.5,red\ny,0,1,3,blue\nz,1,1,4,red";
    let choose = |labels: &[&str], target: Option<TargetKind>| {
        let label_columns = labels.iter().map(|label| label.to_string()).collect();
        chosen(text, true, ScanOptions { label_columns, target, ..ScanOptions::default() })
    };
    let form = |labels, target| choose(labels, target).map(|columns| columns.form).unwrap();
    assert_eq!(form(&["a", "b"], None), TargetForm::Marks);
    assert_eq!(form(&["a", "b"], Some(TargetKind::Numbers)), TargetForm::Numbers);
    assert_eq!(form(&["c", "a"], None), TargetForm::Numbers);
    assert_eq!(choose(&["c", "a", "c"], None).unwrap().labels, [3, 1]);
    assert!(matches!(choose(&["c", "C"], None), Err(ScanError::UnknownColumn { .. })));
    let Err(ScanError::UnfitColumns { columns, .. }) = choose(&["a", "d"], None) else { panic!() };
    assert_eq!(columns, ["d"]);
    let two = choose(&["a", "b"], Some(TargetKind::Class));
    assert!(matches!(two, Err(ScanError::UnfitColumns { .. })));
}
