// Package campaign has only a test: package backup over s3fs, before a real MinIO, while requests fail at random. What is done and what must
// hold is in the module's internal/campaign.
package campaign
