// Makes the file that certify.yaml tries the plugin with: go run ./seed certify.bolt
package main

import (
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"strings"

	"go.etcd.io/bbolt"
)

func main() {
	db, err := bbolt.Open(os.Args[1], 0o600, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	for name, count := range map[string]int{"people": 25, "many": 50_000} {
		if err := db.Update(func(tx *bbolt.Tx) error { return fill(tx, name, count) }); err != nil {
			log.Fatal(err)
		}
	}
}

func fill(tx *bbolt.Tx, name string, count int) error {
	bucket, err := tx.CreateBucket([]byte(name))
	if err != nil {
		return err
	}
	for n := range count {
		number, err := bucket.NextSequence()
		if err != nil {
			return err
		}
		value := fmt.Sprintf(`{"name":"Zoë %d\n","notes":"%s"}`, n, strings.Repeat("x", n*37%300))
		row := append(binary.BigEndian.AppendUint64(nil, number), value...)
		if err := bucket.Put([]byte(fmt.Sprintf("%06d", n)), row); err != nil {
			return err
		}
	}
	return nil
}
