package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// imagesName is the archive of all images, for docker load.
const imagesName = "images.tar"

// tag returns the name of an image in the archive. An engine's archive has one image for
// each name, so the names differ by architecture: the start scripts give the right image
// the name that docker-compose.yml has. An archive with an index of both architectures
// needs an engine of 2024.
func tag(program, arch string) string { return "flash-" + program + ":" + arch }

// writeImages writes the images of the Linux binaries.
func (b *build) writeImages(context.Context) error {
	dockerfile, err := os.ReadFile("deploy/Dockerfile")
	if err != nil {
		return err
	}
	args := map[string]string{"VERSION": b.version, "COMMIT": b.commit}
	images := map[name.Reference]v1.Image{}
	for _, p := range b.platforms {
		if p.os != "linux" {
			continue
		}
		for _, program := range programs {
			s, err := parseStage(string(dockerfile), program, args)
			if err != nil {
				return err
			}
			ref, err := name.NewTag(tag(program, p.arch))
			if err != nil {
				return err
			}
			if images[ref], err = b.image(s, program, p); err != nil {
				return err
			}
		}
	}
	if len(images) == 0 {
		return nil
	}
	b.say("packing %d images", len(images))
	f, err := b.create(imagesName, false)
	if err != nil {
		return err
	}
	return errors.Join(b.save(f, images), f.Close())
}

// image returns the image of a stage.
func (b *build) image(s stage, program string, p platform) (v1.Image, error) {
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	for _, c := range s.copies {
		h := &tar.Header{Name: strings.TrimPrefix(c.to, "/"), ModTime: b.time}
		if c.owner != "" {
			if _, err := fmt.Sscanf(c.owner, "%d:%d", &h.Uid, &h.Gid); err != nil {
				return nil, fmt.Errorf("owner %s: %w", c.owner, err)
			}
		}
		var data []byte
		if c.from == program {
			var err error
			if data, err = os.ReadFile(filepath.Join(b.dir, binary(program, p))); err != nil {
				return nil, err
			}
			h.Name, h.Typeflag, h.Mode, h.Size = path.Join(h.Name, program), tar.TypeReg, 0o755, int64(len(data))
		} else { // an empty folder
			h.Name, h.Typeflag, h.Mode = h.Name+"/", tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil }
	layer, err := tarball.LayerFromOpener(opener, tarball.WithCompressionLevel(gzip.BestCompression),
		tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: p.os, Architecture: p.arch, Created: v1.Time{Time: b.time}, Config: s.config,
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{
		Layer: layer, History: v1.History{Created: v1.Time{Time: b.time}, CreatedBy: "deploy/offline/bundle"},
	})
}

// save writes images in the format of docker save. Unlike tarball.MultiRefWrite, it
// always writes them in the same order.
func (b *build) save(w io.Writer, images map[name.Reference]v1.Image) error {
	manifest, err := tarball.ComputeManifest(images)
	if err != nil {
		return err
	}
	list, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	blobs := map[string][]byte{"manifest.json": list}
	for _, image := range images {
		if err := addBlobs(blobs, image); err != nil {
			return err
		}
	}
	names := make([]string, 0, len(blobs))
	for name := range blobs {
		names = append(names, name)
	}
	slices.Sort(names)
	archive := tar.NewWriter(w)
	for _, name := range names {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(blobs[name])),
			ModTime: b.time.Truncate(time.Second)}
		if err := archive.WriteHeader(h); err != nil {
			return err
		}
		if _, err := archive.Write(blobs[name]); err != nil {
			return err
		}
	}
	return archive.Close()
}

// addBlobs adds an image's configuration and layers, by the names that
// tarball.ComputeManifest gives them.
func addBlobs(blobs map[string][]byte, image v1.Image) error {
	config, err := image.ConfigName()
	if err != nil {
		return err
	}
	if blobs[config.String()], err = image.RawConfigFile(); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		compressed, err := layer.Compressed()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(compressed)
		if err := errors.Join(err, compressed.Close()); err != nil {
			return err
		}
		blobs[digest.Hex+".tar.gz"] = data
	}
	return nil
}
