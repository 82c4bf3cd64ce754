//go:build unix

// Command bench measures this library against what it is built from and against
// what people use instead, on one dump, and prints medians and their ratios.
//
// The contenders of a comparison take turns, so that a noisy machine disturbs all alike; only
// ratios within one run mean anything.
//
//	go run ./internal/bench [-rounds 5] [-only REGEXP] DUMP [DIR]
//
// DUMP is a file of some 200 MB, best a real pg_dump. DIR (default: the system's temporary
// directory) is where files go, and should be on the disk to measure. The tools gzip, zstd, age, 7zz, cp and sync must
// be installed (make tools).
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often each contender runs")
	only := flag.String("only", "", "comparisons whose title matches")
	flag.Parse()
	if flag.NArg() < 1 {
		flag.Usage()
		os.Exit(2)
	}
	dir, err := os.MkdirTemp(flag.Arg(1), "bench-*")
	if err == nil {
		defer os.RemoveAll(dir)
		err = run(*rounds, regexp.MustCompile(*only), flag.Arg(0), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int, only *regexp.Regexp, path, dir string) error {
	file, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	dump, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d cores, %s, dump of %.1f MB, median of %d\n", runtime.Version(), runtime.NumCPU(), runtime.GOARCH, float64(len(dump))/1e6, rounds)
	for _, c := range comparisons(&input{dump, file, dir}) {
		if only.MatchString(c.title) {
			if err := c.measure(rounds, len(dump)); err != nil {
				return fmt.Errorf("%s: %w", c.title, err)
			}
		}
	}
	return nil
}

// comparison has what we are measured against first, and us last.
type comparison struct {
	title string
	want  string // the ratio that is promised
	runs  []contender
	cpu   bool // compare the CPU time of the last with the sum of the others'
}

type contender struct {
	name string
	run  func() (stored int64, err error)
}

type sample struct {
	wall, cpu float64 // seconds
	stored    int64
}

func (c *comparison) measure(rounds, plain int) error {
	samples := make([][]sample, len(c.runs))
	for round := range rounds + 1 { // the first is to warm up
		for i, contender := range c.runs {
			s, err := measure(contender.run)
			if err != nil {
				return fmt.Errorf("%s: %w", contender.name, err)
			}
			if round > 0 {
				samples[i] = append(samples[i], s)
			}
		}
	}
	fmt.Printf("\n%s (wanted %s)\n", c.title, c.want)
	for i, contender := range c.runs {
		s := median(samples[i])
		fmt.Printf("  %-44s %7.3f s %7.1f MB/s  cpu %6.3f s  stored %11d\n", contender.name, s.wall, float64(plain)/1e6/s.wall, s.cpu, s.stored)
	}
	ours := median(samples[len(samples)-1])
	if c.cpu {
		parts := 0.0
		for _, s := range samples[:len(samples)-1] {
			parts += median(s).cpu
		}
		fmt.Printf("  CPU of ours is %+.1f %% of the parts\n", (ours.cpu/parts-1)*100)
		return nil
	}
	base := median(samples[0])
	fmt.Printf("  ours is %.2f x the first", base.wall/ours.wall)
	if base.stored > 0 && ours.stored > 0 {
		fmt.Printf(", stored size %+.2f %%", (float64(ours.stored)/float64(base.stored)-1)*100)
	}
	fmt.Println()
	return nil
}

func measure(f func() (int64, error)) (s sample, err error) {
	runtime.GC()
	cpu := cpuTime()
	start := time.Now()
	s.stored, err = f()
	s.wall = time.Since(start).Seconds()
	s.cpu = cpuTime() - cpu
	return s, err
}

// cpuTime is what this process and its children have used, in seconds.
func cpuTime() (total float64) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			total += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
		}
	}
	return total
}

// median takes each figure's own.
func median(s []sample) sample {
	pick := func(f func(sample) float64) float64 {
		var v []float64
		for _, x := range s {
			v = append(v, f(x))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return sample{pick(func(x sample) float64 { return x.wall }), pick(func(x sample) float64 { return x.cpu }), s[0].stored}
}
