package layout

import (
	"strings"
	"testing"
	"time"
)

func TestCheckName(t *testing.T) {
	for _, s := range []string{"shop", "a", "0", "shop/eu", "shop.eu_1-x", "a/b/c/d", strings.Repeat("a", 200), "con1", "console", "latest1", "lpt"} {
		if err := CheckName(s); err != nil {
			t.Errorf("CheckName(%q) = %v", s, err)
		}
	}
	for _, s := range []string{"", "/", "/shop", "shop/", "a//b", ".", "..", "a/../b", "./a", "Shop", "shOp", "sh op", "sh\x00op", "sh\nop",
		"schön", "-a", "_a", ".a", "a.", "a\\b", "a:b", "latest", "a/latest", "con", "nul.sql", "a/com1", "aux",
		"20261122t175500123z-7f3a9c2e", "a/20261122t175500123z-7f3a9c2e/b", strings.Repeat("a", 201), "a%2fb", "*"} {
		if CheckName(s) == nil {
			t.Errorf("CheckName(%q) accepts it", s)
		}
	}
}

func TestCleanName(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []string{"", "/", "Shop", "shop", "SHOP", "sh op", "sh-op", "../../etc/passwd", "/etc/passwd", "latest", "con", "con.", "Ünïcödé",
		"日本", "a\x00b", strings.Repeat("A", 500), strings.Repeat("a/", 300), "20261122t175500123z-7f3a9c2e", "\xff\xfe", "My DB (prod)", "a.", strings.Repeat("a", 190) + "/B"} {
		c := CleanName(s)
		if err := CheckName(c); err != nil {
			t.Errorf("CleanName(%q) = %q: %v", s, c, err)
		}
		if other, dup := seen[c]; dup {
			t.Errorf("%q and %q both become %q", s, other, c)
		}
		seen[c] = s
	}
	if got := CleanName("My DB (prod)"); !strings.HasPrefix(got, "my-db-prod-") {
		t.Errorf("got %q", got)
	}
}

func FuzzCleanName(f *testing.F) {
	f.Add("Shop")
	f.Add("a/../b")
	f.Fuzz(func(t *testing.T, s string) {
		if err := CheckName(CleanName(s)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestID(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 55, 0, 123_999_999, time.FixedZone("", 3600))
	id := NewID(at)
	if !strings.HasPrefix(id, "20261122t175500123z-") || len(id) != idLen {
		t.Fatalf("id %q", id)
	}
	got, ok := IDTime(id)
	if want := at.UTC().Truncate(time.Millisecond); !ok || !got.Equal(want) {
		t.Fatalf("time %v, want %v", got, want)
	}
	if NewID(at) == id {
		t.Fatal("two ids of one instant are equal")
	}
	for _, s := range []string{"", id[1:], id + "0", strings.ToUpper(id), "20261322t175500123z-7f3a9c2e", "20261122t256000123z-7f3a9c2e"} {
		if _, ok := IDTime(s); ok {
			t.Errorf("IDTime(%q) accepts it", s)
		}
	}
}

func TestCheckExt(t *testing.T) {
	for _, s := range []string{"", ".sql", ".tar.gz", ".json", ".7z"} {
		if err := CheckExt(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"sql", ".", "..", ".a.b.c", ".SQL", "/x", ".manifest.json", ".001", ".sql.002", ".sums-001.json", ".wrap-x", ".toolongextension", ".a/b"} {
		if CheckExt(s) == nil {
			t.Errorf("CheckExt(%q) accepts it", s)
		}
	}
}

func TestParse(t *testing.T) {
	const id = "20261122t175500123z-7f3a9c2e"
	for object, want := range map[string]Kind{
		Manifest("shop/eu", id):                     KindManifest,
		Sums("shop/eu", id, 7):                      KindSums,
		Wrap("shop/eu", id, "0a1b"):                 KindWrap,
		Data("shop/eu", id, ".sql.zst.aes"):         KindData,
		Data("shop/eu", id, ""):                     KindData,
		Segment("shop/eu/"+id+".sql.zst", 2, false): KindData,
	} {
		name, gotID, kind, ok := Parse(object)
		if !ok || name != "shop/eu" || gotID != id || kind != want {
			t.Errorf("Parse(%q) = %q %q %v %v", object, name, gotID, kind, ok)
		}
	}
	for _, object := range []string{"", id, "/" + id, "shop/" + id[1:], "Shop/" + id + ".sql", "shop/" + id + "x", "shop/" + id + "..sql", "RESTORE.txt", ".check/" + id, "shop/" + id + ".sums-001.json/x"} {
		if _, _, _, ok := Parse(object); ok {
			t.Errorf("Parse(%q) accepts it", object)
		}
	}
	if got := WrapKeyID(Wrap("a", id, "k-1")); got != "k-1" {
		t.Error(got)
	}
}
